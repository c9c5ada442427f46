// The C interfaces of OpenBLAS and LAPACKE, as Debian's libopenblas-dev and liblapacke-dev, or Homebrew's openblas, install them.
#pragma once
#include <cblas.h>
#include <lapacke.h>
