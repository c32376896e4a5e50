# SPDX-License-Identifier: BSD-3-Clause
# Writes the files IN, one behind the other, as a NUL-terminated C array NAME into the header OUT.
foreach(file ${IN})
	file(READ ${file} hex HEX)
	string(APPEND bytes "${hex}")
endforeach()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "static const char ${NAME}[] = {${bytes}0};\n")
