# SPDX-License-Identifier: BSD-3-Clause
# The generated texts in docs/ are what the program prints. cmake -DPROGRAM=... -DDOCS=... [-DWRITE=1]
cmake_minimum_required(VERSION 3.25)
foreach(pair "man:turnpike.8" "man5:turnpike.conf.5" "config:turnpike.conf.example" "markdown:configuration.md")
	string(REPLACE ":" ";" pair ${pair})
	list(GET pair 0 what)
	list(GET pair 1 file)
	execute_process(COMMAND ${PROGRAM} help ${what} OUTPUT_VARIABLE printed
		COMMAND_ERROR_IS_FATAL ANY)
	if(WRITE)
		file(WRITE ${DOCS}/${file} "${printed}")
	else()
		file(READ ${DOCS}/${file} kept)
		if(NOT kept STREQUAL printed)
			message(SEND_ERROR "docs/${file} is not what `turnpike help ${what}` prints: run ./dev docs")
		endif()
	endif()
endforeach()
