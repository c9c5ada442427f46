// zlib, as Debian's zlib1g-dev or Homebrew's zlib installs it. Only what inflates gzip is used.
#pragma once
#include <zlib.h>
