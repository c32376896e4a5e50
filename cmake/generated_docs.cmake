# SPDX-License-Identifier: BSD-3-Clause
# The generated texts in docs/ are what the programs print.
# cmake -DPROGRAM=.../turnpike -DHARNESS=.../turnpike-harness -DLOAD=.../turnpike-load -DDOCS=... [-DWRITE=1]
cmake_minimum_required(VERSION 3.25)

function(check file printed maker)
	if(WRITE)
		file(WRITE ${DOCS}/${file} "${printed}")
	else()
		file(READ ${DOCS}/${file} kept)
		if(NOT kept STREQUAL printed)
			message(SEND_ERROR "docs/${file} is not what `${maker}` prints: run ./dev docs")
		endif()
	endif()
endfunction()

foreach(pair "man:turnpike.8" "man5:turnpike.conf.5" "config:turnpike.conf.example" "markdown:configuration.md" "admin:admin.md" "metrics:metrics.md" "coturn:coturn-directives.md" "openapi:openapi.json")
	string(REPLACE ":" ";" pair ${pair})
	list(GET pair 0 what)
	list(GET pair 1 file)
	execute_process(COMMAND ${PROGRAM} help ${what} OUTPUT_VARIABLE printed
		COMMAND_ERROR_IS_FATAL ANY)
	check(${file} "${printed}" "turnpike help ${what}")
endforeach()

# These pages are the programs' --help as it stands; roff takes a backslash, a hyphen and a dot or a
# quote at the start of a line for its own.
function(check_help_page program name what)
	execute_process(COMMAND ${program} --help OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
	string(REPLACE "\\" "\\e" help "${help}")
	string(REPLACE "-" "\\-" help "${help}")
	string(REGEX REPLACE "\n([.'])" "\n\\\\&\\1" help "${help}")
	string(REPLACE "-" "\\-" roff "${name}")
	string(TOUPPER "${roff}" title)
	check(${name}.1 ".\\\" Made by: ${name} --help
.TH ${title} 1
.SH NAME
${roff} \\- ${what}
.SH DESCRIPTION
.nf
${help}.fi
.SH SEE ALSO
\\fBturnpike\\fR(8)
" "${name} --help")
endfunction()

check_help_page(${HARNESS} turnpike-harness "real browsers behind real NATs, to prove that calls get through")
check_help_page(${LOAD} turnpike-load "what a relayed packet, a request and a message cost the server")
