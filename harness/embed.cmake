# SPDX-License-Identifier: BSD-3-Clause
# Writes the file IN as a NUL-terminated C array NAME into the header OUT.
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "static const char ${NAME}[] = {${bytes}0};\n")
