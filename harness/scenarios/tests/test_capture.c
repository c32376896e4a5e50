/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Packets captured in a lab: they are there, they are cut, and the file stays
 * within its bound.
 */
#include "harness/lab/lab.h"
#include "harness/scenarios/capture.h"
#include "harness/tests/namespaces.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/tests/inside.h"

#define PORT    4711
#define PAYLOAD 1000
#define PACKETS 40

/* The inside's report to the test: cmocka cannot assert across processes. */
struct inside {
	int err;
	struct why why;
	size_t max_bytes; /* asked for */
	int file_fd;
};

static struct inside *inside;

/* Datagrams from the client of side A to the server, through the router. */
static int send_packets(const struct lab *lab, struct why *why)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd = lab_socket(lab_client_ns(lab, LAB_A), AF_INET, SOCK_DGRAM, why);
	char payload[PAYLOAD];

	if (fd < 0)
		return fd;
	inet_pton(AF_INET, LAB_SERVER_IP, &to.sin_addr);
	memset(payload, 'x', sizeof(payload));
	for (int i = 0; i < PACKETS; i++) {
		sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&to, sizeof(to));
		usleep(2000); /* the pace of the packets */
	}
	close(fd);
	return 0;
}

static int capture_a_side(void *arg)
{
	struct inside *in = arg;
	struct capture *c = NULL;
	struct lab *lab = NULL;

	in->err = lab_new(&lab, &in->why);
	if (in->err == 0)
		in->err = lab_set_nat(lab, LAB_A, nat_find("port-restricted"), &in->why);
	if (in->err == 0)
		in->err =
		    capture_start(&c, lab_server_ns(lab), in->file_fd, in->max_bytes, &in->why);
	if (in->err == 0)
		in->err = send_packets(lab, &in->why);
	if (c && in->err == 0)
		in->err = capture_stop(c, &in->why);
	lab_free(lab);
	return 0;
}

struct seen {
	size_t packets, ours, longest, size;
};

/* Reads the file as libpcap writes it on this machine. */
static struct seen read_file(int fd)
{
	struct {
		uint32_t s, us, kept, was;
	} record;
	struct seen seen = {0};
	char data[65536];
	uint32_t magic;
	off_t at = 24;

	assert_int_equal(pread(fd, &magic, 4, 0), 4);
	assert_int_equal(magic, 0xa1b2c3d4);
	while (pread(fd, &record, sizeof(record), at) == sizeof(record)) {
		assert_true(record.kept <= sizeof(data));
		assert_int_equal(pread(fd, data, record.kept, at + (off_t)sizeof(record)),
		                 record.kept);
		at += (off_t)sizeof(record) + record.kept;
		seen.packets++;
		if (record.kept > seen.longest)
			seen.longest = record.kept;
		seen.ours += record.was > PAYLOAD && memmem(data, record.kept, "xxxxxxxx", 8);
	}
	seen.size = (size_t)lseek(fd, 0, SEEK_END);
	assert_int_equal(at, seen.size); /* no half record */
	return seen;
}

static struct seen capture(size_t max_bytes)
{
	struct seen seen;

	memset(inside, 0, sizeof(*inside));
	inside->max_bytes = max_bytes;
	inside->file_fd = memfd_create("pcap", MFD_CLOEXEC);
	inside_run(capture_a_side, inside, 60000);
	if (inside->err != 0)
		fail_msg("%s", inside->why.text);
	seen = read_file(inside->file_fd);
	close(inside->file_fd);
	return seen;
}

static void test_packets_are_there_and_cut(void **state)
{
	struct seen seen = capture(1 << 20);

	(void)state;
	assert_int_equal(seen.ours, PACKETS);
	assert_int_equal(seen.longest, CAPTURE_SNAPLEN);
}

static void test_file_stays_within_its_bound(void **state)
{
	struct seen seen = capture(2000);

	(void)state;
	assert_true(seen.packets > 0);
	assert_true(seen.size <= 2000);
}

static int capture_nowhere(void *arg)
{
	struct inside *in = arg;
	struct capture *c = NULL;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	in->err = capture_start(&c, here, full, 1000, &in->why);
	capture_stop(c, NULL);
	close(full);
	close(here);
	return 0;
}

static void test_full_disk_is_told(void **state)
{
	(void)state;
	memset(inside, 0, sizeof(*inside));
	inside_run(capture_nowhere, inside, 60000);
	assert_true(inside->err < 0);
	assert_non_null(strstr(inside->why.text, "No space left on device"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_packets_are_there_and_cut),
	    cmocka_unit_test(test_file_stays_within_its_bound),
	    cmocka_unit_test(test_full_disk_is_told),
	};
	int missing = namespaces_missing();

	if (missing)
		return missing;
	inside = inside_new(sizeof(*inside));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
