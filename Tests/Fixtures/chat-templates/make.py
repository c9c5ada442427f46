"""Render templates of this project with Jinja2 in the environment of Transformers, and write what comes out.

usage: make.py            writes templates.json beside it, and the templates that can be rendered below fuzzing/templates/,
                          where the fuzzer begins; Jinja2 3.1.6, no other packages

Each entry has a template, the variables and the text, or the class of the error that Jinja2 raises. The environment is
that of `_compile_jinja_template` in transformers/utils/chat_template_utils.py (5.23): Jinja2's immutable sandbox with
trim_blocks, lstrip_blocks, the loop controls, `{% generation %}`, and its own tojson, raise_exception, strftime_now,
dict and namespace.
"""
import datetime
import json
from pathlib import Path

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

SMALL_IN_A_FILE = 12
NOW = datetime.datetime(2025, 3, 4, 13, 5, 6)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = NOW.strftime

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "  Was ist 2 + 2, Zoë? \n"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "日本語 🙂?"},
]
TOOLS = [{"type": "function", "function": {
    "name": "add", "description": "Adds \"two\" numbers\n", "parameters": {
        "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number", "default": 1.5}},
        "required": ["a"]}}}]

# Whole templates in the manner of the published families.
FAMILIES = [
    # ChatML
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    # Headers, with the first message apart and the content trimmed
    """{{- bos_token }}
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\\n\\nToday: " + strftime_now("%d %b %Y") + "\\n\\n" + system + "<|eot|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start|>' ~ message.role ~ '<|end|>\\n\\n' ~ message.content | trim ~ '<|eot|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start|>assistant<|end|>\\n\\n' }}
{%- endif %}
""",
    # Alternating roles
    """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}
{% for message in rest %}
  {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
    {{ raise_exception('Roles must alternate') }}
  {% endif %}
  {% if message.role == 'user' %}
[INST] {{ message.content | trim }} [/INST]
  {%- else %}
 {{ message.content + eos_token }}
  {%- endif %}
{% endfor %}
""",
    # Thoughts of earlier turns left out, with a namespace and slices from the end
    """{%- set ns = namespace(last=messages | length - 1, found=false) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages | length - 1) - loop.index0 %}
    {%- if not ns.found and message.role == "user" and message.content is string %}
        {%- set ns.found = true %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" and loop.index0 < ns.last and '</think>' in message.content %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
    {%- else %}
        {%- set content = message.content %}
    {%- endif %}
    {{- '<' + message.role + '>' + content + '</' + message.role + '>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<assistant>' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think></think>' }}{%- endif %}
{%- endif %}""",
    # Tools through a macro
    """{% macro signature(tool) -%}
{{ tool.name }}({% for name, type in tool.parameters.properties.items() %}{{ name }}: {{ type.type }}{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}
{%- if tools %}
{{ tools | map(attribute='function') | map(attribute='name') | join(', ') }}
{% for tool in tools %}
{{ signature(tool.function) }}
{{ tool | tojson }}
{{ tool | tojson(indent=2) }}
{{ tool.function.parameters | tojson(separators=(',', ':'), sort_keys=true) }}
{% endfor %}
{% endif %}
{{- messages | selectattr('role', 'equalto', 'user') | list | length }}""",
    # Generation blocks
    """{% for m in messages %}{% if m.role == 'assistant' %}<a>{% generation %}{{ m.content }}</a>
{% endgeneration %}{% else %}<{{ m.role[0] }}>{{ m.content }}
{% endif %}{% endfor %}""",
]

# One construct each, or a few that belong together.
EXPRESSIONS = [
    # Literals and escapes
    r"{{ 'a\n\t\\\'\"\x41\u00e9\U0001f642\101\q' }}", r'''{{ "it's" 'joined' "by \"space\"" }}''', r"{{ 'caf\é' }}",
    "{{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1_000 }} {{ 1.5e3 }} {{ 2E-7 }} {{ 1_0.5 }} {{ 00 }}",
    "{{ [1, 'a', none, true, 2.0, (1,), (), [[]], {'k': 'v', 1: [2]}] }}", "{{ 1, 2 }}", "{{ (1) }}{{ () }}",
    "{{ True and False }} {{ None }} {{ none is none }}",
    # Floats
    "{{ 1e16 }} {{ 1e15 }} {{ 123456789012345680.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e300 * 1e300 }} {{ -0.0 }}",
    # Arithmetic
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 8 / 2 }} {{ 2 ** 10 }} {{ 2 ** 3 ** 2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}",
    "{{ -1 | abs }} {{ - 2 ** 2 }} {{ +3 }} {{ --3 }} {{ true + true }} {{ 3 * 'ab' }} {{ 'ab' * -1 }} {{ [1] * 2 + [3] }} {{ (1,) + (2,) }}",
    "{{ 1 + 2 ~ 3 * 4 }} {{ 1 ~ none ~ true ~ 2.5 ~ 'x' }}",
    # Comparison and logic
    "{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 == true }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 'Z' < 'a' }} {{ 1 != '1' }}",
    "{{ 0 or 'x' }} {{ 'a' and '' }}| {{ not 0 }} {{ not 'a' or true }} {{ [] or {} or 'last' }}",
    "{{ 'a' in 'cat' }} {{ 'x' not in ['x'] }} {{ 'k' in {'k': 1} }} {{ 2 in (1, 2) }} {{ not 2 in [1] }} {{ 3 in range(5) }} {{ 'a' in missing }}",
    "{{ 'yes' if 1 else 'no' }} {{ 'yes' if 0 }}| {{ 'a' if 0 else 'b' if 0 else 'c' }} {{ ('x' if 0) is defined }}",
    "{{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ [1] == (1,) }} {{ missing == other }} {{ missing == none }}",
    "{{ 'é' == 'é' }} {{ 'é' | length }} {{ 'é' | length }}",
    # Access, slices
    "{{ messages[0].role }} {{ messages[-1]['content'] }} {{ messages[9] is defined }} {{ messages[0].nothing is defined }}|{{ messages[0].nothing }}|",
    "{{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[:-2] }} {{ 'abcdef'[4:1:-1] }} {{ 'abcdef'[::2] }} {{ 'abc'[5:] }}| {{ 'abc'[-9:9] }} {{ 'abc'[::-2] }}",
    "{{ [1, 2, 3][1:] }} {{ [1, 2, 3][::-1] }} {{ (1, 2, 3)[:2] }} {{ [][::-1] }} {{ [1, 2, 3][2:0:-1] }} {{ [1,2,3][none:2] }} {{ range(9)[3] }} {{ range(5)[-1] }}",
    "{{ 'Zoë🙂'[-1] }} {{ 'Zoë🙂'[2] }} {{ 'abc'.0 }} {{ [[1, 2]].0.1 }} {{ 'abc'[9] is defined }}",
    "{{ {'items': 1}['items'] }} {{ {'get': 2}.get('get') }} {{ {'keys': 3}.keys() | list }} {{ {'a': none}.get('a', 1) }} {{ {}.get('a') }} {{ {}.get('a', 'b') }}",
    "{{ {'a': 1, 'b': 2}.items() }} {{ {'a': 1}.keys() }} {{ {'a': 1}.values() }} {{ {'a': 1}.items() | list }} {{ {'a': 1}.copy() }}",
    "{{ {1: 'one', true: 'yes', 'x': 3, 2.5: 4, none: 5} }} {{ {1: 'one'}[1.0] }} {{ {'a': 1, 'a': 2} }}",
    # Undefined
    "{{ missing }}|{{ missing is defined }} {{ missing | default('d') }} {{ '' | default('d', true) }} {{ '' | d('d') }}| {{ missing | length }} {{ missing | list }} {{ [missing] }} {{ missing ~ 'x' }}",
    "{% for x in missing %}x{% else %}none{% endfor %}", "{{ missing is none }} {{ missing is string }} {{ missing is sequence }} {{ missing is iterable }} {{ missing | trim }}| {{ missing | upper }}|",
    "{{ missing.role }}", "{{ missing['role'] }}", "{{ missing + 'a' }}", "{{ missing() }}", "{{ missing | tojson }}", "{{ missing < 1 }}", "{{ messages[0].x.y }}", "{{ -missing }}", "{{ missing | int }}",
    # Tests
    "{{ 1 is number }} {{ 1.5 is float }} {{ true is number }} {{ true is boolean }} {{ 1 is integer }} {{ true is integer }} {{ 'a' is string }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ {} is mapping }} {{ [] is sequence }} {{ {} is sequence }} {{ {}.items() is sequence }} {{ {}.items() is iterable }}",
    "{{ 3 is odd }} {{ 3 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ none is not none }} {{ 1 is not defined }} {{ none is sameas none }}",
    "{{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 2 is gt 1 }} {{ 2 is lessthan 1 }} {{ 1 is in [1, 2] }} {{ 'x' is ne 'y' }} {{ 'ab' is lower }} {{ 'AB' is upper }} {{ '' is lower }} {{ range is callable }} {{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }}",
    "{{ 1 is defined and 2 is defined }} {{ (1 is string) or 'x' }} {{ not 1 is string }}",
    # Filters
    "{{ '  a b ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 5 | string + '!' }}|{{ 'AbC' | lower }}{{ 'AbC' | upper }}|{{ 'hELLO wORLD' | capitalize }}|{{ \"it's a-b (c) ß\" | title }}",
    "{{ [1, 2] | join }} {{ ['a', 1, none] | join(', ') }} {{ messages | join('; ', attribute='role') }} {{ 'abc' | join('-') }}",
    "{{ 'aXbXc' | replace('X', '--') }} {{ 'aXbXc' | replace('X', '', 1) }} {{ 'ab' | replace('', '.') }} {{ 121 | replace(1, 3) }}",
    "{{ 'abc' | length }} {{ [1, 2] | count }} {{ {'a': 1} | length }} {{ 'abc' | first }}{{ 'abc' | last }} {{ [] | first is defined }} {{ {'a': 1} | first }} {{ [3, 1, 2] | max }} {{ ['b', 'A'] | min }} {{ [1, 2.5] | sum }}",
    "{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A'] | sort(case_sensitive=true) }} {{ [1, 3, 2] | sort(reverse=true) }} {{ messages | sort(attribute='role') | map(attribute='role') | list }} {{ [1, 2, 1] | unique | list }} {{ ['a', 'A'] | unique | list }}",
    "{{ 'abc' | reverse }} {{ [1, 2] | reverse | list }} {{ 'abc' | list }} {{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1, 'a': 2} | dictsort(by='value', reverse=true) }} {{ {'a': 1} | items | list }} {{ {'a': 1} | list }}",
    "{{ ['1', '2'] | map('int') | sum }} {{ messages | map(attribute='content.length', default='?') | list }} {{ ['a'] | map('upper') | first }} {{ [1, 0, 2] | select | list }} {{ [1, 0, 2] | reject | list }} {{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('gt', 1) | list }}",
    "{{ messages | selectattr('role', '==', 'user') | map(attribute='content') | list }} {{ messages | rejectattr('role', 'in', ['user', 'system']) | list | length }} {{ messages | selectattr('nothing') | list }} {{ messages | selectattr('role', 'defined') | list | length }} {{ none | selectattr('x') | list }}",
    "{{ '12' | int }} {{ ' 1_2 ' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ '3.9' | int }} {{ 3.9 | int }} {{ -3.9 | int }} {{ none | int }} {{ '2.5' | float }} {{ 'x' | float(1) }} {{ '1e3' | float }} {{ 'nan' | float }} {{ '0x10' | float }} {{ -2.5 | abs }}",
    "{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb\n\nc' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('> ') }}",
    "{{ 'é\"\\\\\n\t\x08\x01/\u2028🙂' | tojson }} {{ 'é🙂' | tojson(ensure_ascii=true) }} {{ [] | tojson }} {{ {} | tojson(indent=2) }} {{ [1, [2, {'a': none}]] | tojson(indent=2) }} {{ 1.0 | tojson }} {{ true | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ (1, 2) | tojson }}",
    "{{ '<b>&\"\\'' | e }} {{ ('<' | safe) + '<' }} {{ '<' + ('<' | safe) }} {{ ('<' | safe) ~ '<' }} {{ '<' | safe }} {{ [('<' | safe)] }} {{ ('a' | safe) == 'a' }} {{ ('a' | safe) is string }}",
    "{% set it = [1, 2] | map('string') %}{{ it | list }}{{ it | list }} {{ it is iterable }} {{ it is sequence }}", "{{ [1] | map('string') | length }}",
    # Methods of strings
    "{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a b c'.rsplit(' ', 1) }} {{ ' a  b  c '.split(none, 1) }} {{ ' a  b  c '.rsplit(none, 1) }} {{ ''.split(',') }} {{ ''.split() }} {{ 'a</t>b</t>c'.split('</t>')[-1] }}",
    "{{ ' x '.strip() }}|{{ 'xyx'.strip('x') }}|{{ '\\n\\nx\\n'.lstrip('\\n') }}|{{ 'x\u3000'.rstrip() }}|{{ 'éaé'.strip('é') }}|{{ 'abc'.rstrip('bc') }}|",
    "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.startswith('b', 1) }} {{ 'abc'.endswith('b', 0, 2) }} {{ 'abc'.startswith('') }} {{ 'e\u0301'.startswith('e') }}",
    "{{ 'aXa'.replace('a', 'b') }} {{ 'aXa'.replace('a', 'b', 1) }} {{ 'Abc'.upper() }} {{ 'ÀÉ'.lower() }} {{ 'straße'.upper() }} {{ 'ΑΣ ΑΣΑ'.lower() }} {{ \"they're bill's\".title() }} {{ 'hELLO'.capitalize() }} {{ 'ǆ'.title() }}",
    "{{ 'abcabc'.find('c') }} {{ 'abcabc'.rfind('c') }} {{ 'éx'.find('x') }} {{ 'a'.find('z') }} {{ 'aaa'.count('a') }} {{ 'abc'.count('') }} {{ '-'.join(['a', 'b']) }} {{ 'abc'.index('b') }}",
    "{{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('=') }} {{ 'abc'.rpartition('=') }} {{ 'a\\nb\\r\\nc\x0bd'.splitlines() }} {{ 'a\\nb'.splitlines(true) }} {{ 'unhappy'.removeprefix('un') }} {{ 'unhappy'.removesuffix('py') }}",
    "{{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ ''.isdigit() }} {{ 'Ab'.isupper() }} {{ '²'.isdigit() }} {{ '½'.isnumeric() }} {{ '7'.zfill(3) }} {{ '-7'.zfill(4) }} {{ 'a'.ljust(3, '.') }} {{ 'a'.rjust(3) }} {{ '{} {{x}} {1} {n}'.format(1, 2, n=3) if false else '{}-{n}'.format(1, n=2) }}",
    "{{ [1, 2, 1].index(2) }} {{ [1, 2, 1].count(1) }} {{ (1, 2).index(2) }} {{ 'a'.nothing is defined }}",
    # Representation
    "{{ [\"it's\", 'say \"hi\"', 'both \\' and \"', 'tab\\t', 'é', '\\x00', '\u200b', '\\\\'] }}", "{{ {'a': [1, (2, 'x')]} ~ '' }} {{ [true, none, 1.0, 1e20] | string }} {{ range(3) }} {{ range(1, 9, 2) | list }} {{ range(5, 0, -2) | list }}",
    # Functions
    "{{ dict(a=1, b='x') }} {{ dict({'a': 1}, b=2) }} {{ dict([('a', 1)]) }} {{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %a %A %j %y %I %p %e %-d %%') }}",
    "{{ raise_exception('stop here') }}", "{% if false %}{{ raise_exception('never') }}{% endif %}fine",
    # Errors of Python
    "{{ 1 + 'a' }}", "{{ 'a' + none }}", "{{ 1 / 0 }}", "{{ none | length }}", "{{ [] < 1 }}", "{{ 1 in 'a' }}", "{% for x in 1 %}{% endfor %}", "{% for x in none %}{% endfor %}", "{{ 'abc'.index('z') }}", "{{ {[]: 1} }}", "{{ messages.append(1) }}", "{{ [1, 'a'] | sort }}", "{{ 'a'() }}", "{{ messages[0].role.missing() }}",
]

STATEMENTS = [
    # White space
    "a\n  {% if true %}\n  b\n  {% endif %}\n  c\n", "a  {%- if true -%}  b  {%- endif -%}  c", "  {%+ if true %}x{% endif +%}\ny", "{{ 'a' }}\n{{- 'b' -}}\n c\n\n",
    "a {# comment #}\nb\n  {#- trimmed -#}  c\n  {# alone #}\nd", "{% raw %}{{ x }} {% if %}{% endraw %}\n{%- raw -%}  {# y #} {%- endraw -%}  z", "x\r\ny\rz\r\n", "\n\n{% if true %}\n\n\n{% endif %}\n\n\n",
    "{% set x = 1 %}\n\t {% set y = 2 %}\n {{ x }}{{ y }}\n\u00a0{% if 1 %}b{% endif %}", "{{ '}}' }}{{ {'a': {'b': 1}}['a']['b'] }}{{ '{%' }}", "{%if true%}tight{%endif%}{{1}}", "   {% if true %}   {% if true %}x{% endif %}\n{% endif %}", "{{ 1 }}  {# c #}  {% if 1 %}{% endif %}\n  x",
    # if
    "{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}{% if 0 %}a{% elif 0 %}b{% else %}c{% endif %}{% if 0 %}x{% endif %}",
    # for
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {{ loop.previtem.role if loop.previtem is defined }}>{{ m.role }}>{{ loop.nextitem.role if not loop.last }};{% endfor %}",
    "{% for i in range(6) if i % 2 %}{{ i }}{{ loop.length }}{{ loop.last }} {% else %}none{% endfor %}{% for i in [] %}{% else %}none{% endfor %}{% for i in [1] if i > 1 %}{% else %}filtered{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in [1, 2] %}{% continue %}{% else %}else runs{% endfor %}{% for i in [1] %}{% break %}{% else %}, and here{% endfor %}{% for i in [1, 2] %}{% if i == 2 %}{% break %}{% endif %}{% else %}but not here{% endfor %}",
    "{% for k, v in {'a': 1, 'b': [2]}.items() %}{{ k }}={{ v }} {% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}{% for c in 'héy' %}{{ c }}.{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a in [1, 2] %}{% for b in [3, 4] %}{{ loop.index }}{{ a }}{{ b }} {% endfor %}{{ loop.index }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{{ loop.cycle('a', 'b') }}{{ loop.depth }} {% endfor %}",
    # Scopes
    "{% set x = 1 %}{% for i in [1] %}{{ x }}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}", "{% for i in [1, 2] %}{{ y is defined }}{% set y = i %}{{ y }}{% endfor %}{{ y is defined }}",
    "{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% set ns.b = 'new' %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}{{ ns.c is defined }}{{ namespace({'q': 1}, r=2).r }}", "{% set a, b = 1, [2] %}{{ a }}{{ b }}{% set (c, d) = 'xy' %}{{ c }}{{ d }}", "{% set a, b = [1] %}", "{% set x.y = 1 %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set a = 3 %}{{ a }}{% endwith %}{{ a is defined }}{% set z = 1 %}{% with z = 2, w = z %}{{ w }}{% endwith %}",
    "{% set block %}\n  a{{ 1 }}\n{% endset %}[{{ block }}]{% set up | upper | trim %} x {% endset %}[{{ up }}]{% set t %}{% set inner = 1 %}{% endset %}{{ inner is defined }}", "{% filter upper | replace('A', '-') %}abc{% endfilter %}",
    # Macros
    "{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c=3) }} {{ f(b=5, a=4) }} {{ f() }}| {{ f(1) | length }}", "{% macro f(a) %}{{ g(a) }}{% endmacro %}{% macro g(a) %}<{{ a }}{{ outer }}>{% endmacro %}{% set outer = 'o' %}{{ f(1) }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% macro f(a) %}{% set x = a %}{{ x }}{% endmacro %}{% set x = 0 %}{{ f(1) }}{{ x }}", "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{% endmacro %}{{ f(z=1) }}", "{% macro f() %}{{ m.role }}{% endmacro %}{% for m in messages %}{{ f() }}|{% endfor %}",
    "{% macro f() %}\n  x\n{%- endmacro %}\n[{{ f() }}]", "{% print 1, 'a' %}", "{% generation %}{% set g = 1 %}x{{ g }}{% endgeneration %}{{ g is defined }}",
    # Refused
    "{% if true %}", "{{ 1 +", "{% endfor %}", "{% unknown %}", "{{ 'a", "{{ (1] }}", "{% for x y %}{% endfor %}", "{{ a b }}", "{% set 1 = 2 %}", "{{ 'a' | nope }}", "{{ 1 is nope }}", "{% if false %}{{ 'a' | nope }}{{ 1 is nope }}{% endif %}deferred", "{{ @ }}", "{# open", "{% raw %}x", "{{ }}", "{% set x %}", "{{ f(a=1, 2) }}", "{% macro f(a=1, b) %}{% endmacro %}", "{{ [1, 2 }}", "{{ {1} }}", "{% else %}",
]


CONVERSATIONS = [MESSAGES, MESSAGES[1:], MESSAGES[1:2], MESSAGES[:1], [], MESSAGES[1:2] * 2, [
    {"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nb"},
    {"role": "user", "content": "c"}, {"role": "assistant", "content": "<think>x</think>d"}]]
VARIABLES = [{}, {"tools": TOOLS, "add_generation_prompt": True, "enable_thinking": False}]


def entry(template: str, conversation: int, variables: int) -> dict:
    result = {"template": template, "conversation": conversation, "variables": variables}
    values = {"messages": CONVERSATIONS[conversation], "add_generation_prompt": False, "tools": None, "documents": None,
              "bos_token": "<s>", "eos_token": "</s>"} | VARIABLES[variables]
    try:
        result["text"] = environment.from_string(template).render(json.loads(json.dumps(values)))
    except Exception as error:
        result["error"] = type(error).__name__
    return result


def write_fuzzing_seeds(entries: list[dict]) -> None:
    """Each whole template in a file, and of the small ones SMALL_IN_A_FILE."""
    small = [value["template"] for value in entries
             if value["template"] not in FAMILIES and "error" not in value]
    joined = ["\n".join(small[at:at + SMALL_IN_A_FILE]) for at in range(0, len(small), SMALL_IN_A_FILE)]
    folder = Path(__file__).parent.parent / "fuzzing" / "templates"
    folder.mkdir(exist_ok=True)
    for number, template in enumerate(FAMILIES + joined):
        (folder / f"{number}.jinja").write_text(template, encoding="utf-8")


def main() -> None:
    entries = [entry(template, conversation, variables) for template in FAMILIES
               for conversation in range(len(CONVERSATIONS)) for variables in range(len(VARIABLES))]
    entries += [entry(template, 0, 0) for template in EXPRESSIONS + STATEMENTS]
    lines = ",\n".join(json.dumps(value, ensure_ascii=False) for value in entries)
    head = json.dumps({"jinja2": jinja2.__version__, "now": NOW.isoformat(), "conversations": CONVERSATIONS,
                       "variables": VARIABLES}, ensure_ascii=False)
    Path(__file__).with_name("templates.json").write_text(
        head[:-1] + ',\n"entries": [\n' + lines + "\n]}\n", encoding="utf-8")
    write_fuzzing_seeds(entries)
    print(f"{len(entries)} entries, {sum('error' in value for value in entries)} of them errors")


if __name__ == "__main__":
    main()
