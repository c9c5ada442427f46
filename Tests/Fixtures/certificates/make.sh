#!/usr/bin/env bash
# Writes self-signed.pem: a key and a certificate for 127.0.0.1 that nobody but itself vouches for, valid for a century.
# OpenSSL 3.0.19. For tests alone: the key is public.
set -euo pipefail
cd "$(dirname "$0")"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 \
  -subj "/CN=KeyStep test" -addext "subjectAltName=IP:127.0.0.1" -keyout - -out - >self-signed.pem
