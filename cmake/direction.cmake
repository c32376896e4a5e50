# SPDX-License-Identifier: BSD-3-Clause
# Checks the direction of the dependencies: base <- {turn, signal, store} <- daemon, and harness on
# base alone, but for the simulator, which runs the cores of turn and signal, and the loads and the
# gauge, which write STUN with turn's tests. Run as: cmake -P cmake/direction.cmake (from the top folder).
cmake_minimum_required(VERSION 3.25)
set(may_include_base base)
set(may_include_turn base turn)
set(may_include_signal base signal)
set(may_include_store base store)
set(may_include_daemon base turn signal store daemon)
set(may_include_harness base harness)
set(may_include_harness_sim base turn signal harness)
set(folders base turn signal store daemon harness)

set(broken 0)
foreach(folder ${folders})
	file(GLOB_RECURSE sources RELATIVE ${CMAKE_CURRENT_LIST_DIR}/..
		${CMAKE_CURRENT_LIST_DIR}/../${folder}/*.[ch])
	foreach(source ${sources})
		set(may_include ${may_include_${folder}})
		if(source MATCHES "^harness/(sim|load|gauge)/")
			set(may_include ${may_include_harness_sim})
		endif()
		if(source MATCHES "^daemon/tests/foreign/test_[a-z]+_page.c$") # have the harness's browser
			list(APPEND may_include harness)
		endif()
		file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../${source} lines REGEX "^#include \"")
		foreach(line ${lines})
			string(REGEX REPLACE "^#include \"([^/\"]*)/?.*" "\\1" to "${line}")
			if(to IN_LIST folders AND NOT to IN_LIST may_include)
				message(SEND_ERROR "${source}: ${folder} may not include ${to}: ${line}")
				set(broken 1)
			endif()
		endforeach()
		# a table that cannot grow refuses: base/table.h sees to it
		file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../${source} lines
			REGEX "uthash\\.h|HASH_ADD|HASH_REPLACE|HASH_NONFATAL_OOM")
		if(lines AND NOT source STREQUAL "base/table.h")
			message(SEND_ERROR "${source}: uthash by base/table.h and TABLE_ADD() only: ${lines}")
			set(broken 1)
		endif()
		# coturn's library behind one wrapper
		file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../${source} lines REGEX "^#include <turn/")
		if(lines AND NOT source STREQUAL "turn/stun_msg.c")
			message(SEND_ERROR "${source}: only turn/stun_msg.c may include libturn")
			set(broken 1)
		endif()
	endforeach()
endforeach()
if(NOT broken)
	message(STATUS "the dependencies run in one direction")
endif()
