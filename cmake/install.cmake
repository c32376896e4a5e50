# SPDX-License-Identifier: BSD-3-Clause
# cmake --install build --component server (or harness): program, manual pages, unit, guides. A prefix that
# systemd and man look below, so /usr/local or /usr; ./dev install does it.
include(GNUInstallDirs)

install(TARGETS turnpike RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
install(PROGRAMS docs/examples/install-cert.sh DESTINATION ${CMAKE_INSTALL_BINDIR}
	RENAME turnpike-install-cert COMPONENT server)
install(FILES docs/turnpike.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT server)
install(FILES docs/turnpike.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT server)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT server
	PATTERN HACKING.md EXCLUDE PATTERN "*.[158]" EXCLUDE)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT server)

# The unit names the program by its whole path, which is known only now: --prefix may say another.
install(CODE "
	set(unit \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/turnpike.service\")
	message(STATUS \"Installing: \${unit}\")
	file(READ \"${PROJECT_SOURCE_DIR}/docs/examples/turnpike.service\" text)
	string(REPLACE /usr/bin/turnpike \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/turnpike\" text \"\${text}\")
	file(WRITE \"\${unit}\" \"\${text}\")
	" COMPONENT server)

install(TARGETS turnpike-harness turnpike-load RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT harness)
install(FILES docs/turnpike-harness.1 docs/turnpike-load.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT harness)
