# SPDX-License-Identifier: BSD-3-Clause
# Checks the floors of the house: a folder includes only itself and folders that stand before it here, so
# no circle can come back. Run as: cmake -P cmake/direction.cmake (from the top folder).
cmake_minimum_required(VERSION 3.25)
set(floors
	base
	turn/wire turn turn/net turn/fuzz signal signal/fuzz store
	daemon/conf daemon/process daemon/cert daemon/listen daemon/records daemon/hooks daemon/issue daemon/issue/fuzz daemon/relay
	daemon/web daemon/observe daemon/admin daemon/serve daemon/doctor daemon/import daemon/cli daemon
	harness/lab harness/report harness/browser harness/load harness/gauge harness/scenarios harness/sim
	harness)
# turn, signal and store do not know each other. turn/wire, the codec that judges the server, shares no
# code with it. The harness knows none of the servers, except the simulator, which runs their cores.
set(may_base "^base$")
set(may_turn "^(base|turn|turn/net)$")
set(may_turn/wire "^base$")
set(may_signal "^(base|signal|signal/fuzz)$")
set(may_store "^base$")
set(may_daemon "^(base|turn|turn/net|signal|store|daemon.*)$")
set(may_harness "^(base|turn/wire|harness.*)$")
set(may_harness/sim "^(base|turn|turn/net|turn/wire|signal|harness/lab)$")

# folder_of(PATH OUT): the longest folder of the floors that PATH lies in.
function(folder_of path out)
	set(found "")
	foreach(folder ${floors})
		string(LENGTH "${folder}" length)
		string(LENGTH "${found}" longest)
		string(FIND "${path}" "${folder}/" at)
		if(at EQUAL 0 AND length GREATER longest)
			set(found ${folder})
		endif()
	endforeach()
	set(${out} "${found}" PARENT_SCOPE)
endfunction()

set(broken 0)
macro(refuse text)
	message(SEND_ERROR "${source}: ${text}")
	set(broken 1)
endmacro()

# check_include(LINE): an #include of source, which lies in the folder from.
macro(check_include line)
	string(REGEX REPLACE "^#include \"([^\"]*)\".*" "\\1" path "${line}")
	folder_of(${path} to)
	string(REGEX MATCH "^[^/]*" top ${from})
	set(may "${may_${top}}")
	if(DEFINED may_${from})
		set(may "${may_${from}}")
	endif()
	list(FIND floors ${from} own)
	list(FIND floors "${to}" other)
	# Tests see the whole of their part of the house. They and the doctor write STUN by the other
	# codec, and tests of pages have the harness's browser.
	if(source MATCHES "/tests/")
		set(own 999)
	endif()
	if(to STREQUAL "turn/wire" AND source MATCHES "/tests/|^turn/fuzz/|^daemon/doctor/")
		set(to "")
	elseif(to STREQUAL "harness/browser" AND source MATCHES "^daemon/tests/server/test_[a-z]+_page.c$")
		set(to "")
	endif()
	if(NOT to STREQUAL "" AND NOT to STREQUAL from)
		if(NOT to MATCHES "${may}")
			refuse("${from} may not include ${to}: ${line}")
		elseif(other GREATER own)
			refuse("${from} stands below ${to} and may not include it: ${line}")
		endif()
	endif()
endmacro()

file(GLOB_RECURSE sources RELATIVE ${CMAKE_CURRENT_LIST_DIR}/..
	${CMAKE_CURRENT_LIST_DIR}/../base/*.[ch] ${CMAKE_CURRENT_LIST_DIR}/../turn/*.[ch]
	${CMAKE_CURRENT_LIST_DIR}/../signal/*.[ch] ${CMAKE_CURRENT_LIST_DIR}/../store/*.[ch]
	${CMAKE_CURRENT_LIST_DIR}/../daemon/*.[ch] ${CMAKE_CURRENT_LIST_DIR}/../harness/*.[ch])
foreach(source ${sources})
	folder_of(${source} from)
	string(REGEX REPLACE "/(tests/.*|[^/]*)$" "" folder ${source})
	if(NOT folder STREQUAL from)
		refuse("${folder} is no floor of the house: give it a place in cmake/direction.cmake")
	endif()
	file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../${source} lines REGEX "^#include \"")
	foreach(line ${lines})
		check_include("${line}")
	endforeach()
	# a table that cannot grow refuses: base/table.h sees to it
	file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../${source} lines
		REGEX "uthash\\.h|HASH_ADD|HASH_REPLACE|HASH_NONFATAL_OOM")
	if(lines AND NOT source STREQUAL "base/table.h")
		refuse("uthash by base/table.h and TABLE_ADD() only: ${lines}")
	endif()
	# the server sees the world through the environment (base/env.h), which a test can own
	file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../${source} lines
		REGEX "^#include <(event2/|unistd|poll|sys/(socket|epoll|time)|netinet/tcp)")
	if(lines AND source MATCHES "^turn/(net/)?[a-z_]+\\.[ch]$")
		refuse("turn has sockets and time only through base/env.h: ${lines}")
	endif()
	# coturn's library behind one wrapper
	file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../${source} lines REGEX "^#include <turn/")
	if(lines AND NOT source STREQUAL "turn/stun_msg.c")
		refuse("only turn/stun_msg.c may include libturn")
	endif()
endforeach()
if(NOT broken)
	message(STATUS "every floor stands on those below it")
endif()
