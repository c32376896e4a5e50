/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The counters of a worker's server, each with its sentence for the operator, and the kinds that
 * split some of them.
 */
#ifndef TURN_STATS_H
#define TURN_STATS_H

#include <stdint.h>

/* The client's transport to us. */
#define TURN_PROTOCOL_TABLE(X)                                                                     \
	X(TURN_UDP, "udp")                                                                         \
	X(TURN_TCP, "tcp")                                                                         \
	X(TURN_TLS, "tls")                                                                         \
	X(TURN_DTLS, "dtls")

#define TURN_CLOSE_TABLE(X)                                                                        \
	X(TURN_CLOSE_EXPIRED, "expired")                                                           \
	X(TURN_CLOSE_DELETED, "deleted")                                                           \
	X(TURN_CLOSE_REVOKED, "revoked")                                                           \
	X(TURN_CLOSE_OPERATOR, "operator")                                                         \
	X(TURN_CLOSE_ADDRESS, "address-gone") /* an address of this host: the relayed one or the   \
	                                       * one the client uses */                            \
	X(TURN_CLOSE_DISCONNECTED, "disconnected")                                                 \
	X(TURN_CLOSE_SHUTDOWN, "shutdown")

/* Why the server refused a credential. */
#define TURN_FAULT_TABLE(X)                                                                        \
	X(TURN_FAULT_NONE, "none")                                                                 \
	X(TURN_FAULT_NO_CREDENTIAL, "no-credential") /* the normal first request */                \
	X(TURN_FAULT_REALM, "realm")                                                               \
	X(TURN_FAULT_USER, "user") /* unknown or revoked */                                        \
	X(TURN_FAULT_PASSWORD, "password")                                                         \
	X(TURN_FAULT_EXPIRED, "expired")                                                           \
	X(TURN_FAULT_TOKEN, "token") /* an access token that none of our keys opens */

#define X(name, text) name,
enum turn_protocol { TURN_PROTOCOL_TABLE(X) };
enum turn_close_reason { TURN_CLOSE_TABLE(X) };
enum turn_fault { TURN_FAULT_TABLE(X) };
#undef X

/* The numbers of rows; apart from the enums, so that a switch need not name them. */
#define X(name, text) +1
enum {
	TURN_PROTOCOL_N = TURN_PROTOCOL_TABLE(X),
	TURN_CLOSE_N = TURN_CLOSE_TABLE(X),
	TURN_FAULT_N = TURN_FAULT_TABLE(X),
};
#undef X

#define TURN_STATS_TABLE(X)                                                                        \
	X(binding_requests, "Binding requests (STUN)")                                             \
	X(moves, "Allocations that a client moved to another address (mobility)")                  \
	X(replies_300, "Error replies 300 Try Alternate: draining, or a full server")              \
	X(replies_401, "Error replies 401 Unauthenticated; every client's first request gets one") \
	X(replies_403, "Error replies 403 Forbidden: peers that the policy forbids")               \
	X(replies_437, "Error replies 437 Allocation Mismatch")                                    \
	X(replies_438, "Error replies 438 Stale Nonce")                                            \
	X(replies_486, "Error replies 486 Allocation Quota Reached")                               \
	X(replies_508, "Error replies 508 Insufficient Capacity: ports, limits, draining")         \
	X(replies_other_errors, "Error replies with any other code")                               \
	X(unauth_drops,                                                                            \
	  "Error replies to unauthenticated clients that were not sent because of unauth_rate")    \
	X(binding_drops, "Binding requests that were not answered because of binding_rate")        \
	X(reflection_drops,                                                                        \
	  "Replies to unauthenticated clients that were not sent because of their size")           \
	X(malformed, "Messages from clients that were not STUN, TURN or DTLS")                     \
	X(unbound_channel_drops, "Packets from clients on a channel that is not bound")            \
	X(peer_connections, "TCP connections with peers (RFC 6062)")                               \
	X(connections, "TCP, TLS and DTLS connections of clients to a relay worker")               \
	X(connections_refused, "DTLS sessions refused by max_dtls_sessions and other limits")      \
	X(connection_timeouts, "Connections closed because no message came in time")               \
	X(failed_handshakes, "TLS and DTLS handshakes that failed")                                \
	X(slow_client_drops, "Packets dropped because the client reads its connection too slowly") \
	X(dtls_cookies, "DTLS clients asked to prove their address with a cookie")                 \
	X(permission_drops, "Packets dropped because there was no permission or allocation")       \
	X(policy_drops, "Packets and requests for peers that the policy forbids")                  \
	X(lock_refusals, "Requests for peers that relay_lock refused")                             \
	X(session_bandwidth_drops, "Packets dropped by session_bandwidth")                         \
	X(user_bandwidth_drops, "Packets dropped by user_bandwidth")                               \
	X(total_bandwidth_drops, "Packets dropped by total_bandwidth")                             \
	X(permissions_refused, "Permissions refused by permissions_max")                           \
	X(channels_refused, "Channels refused by channels_max")                                    \
	X(icmp_to_client, "ICMP errors passed to clients")                                         \
	X(icmp_drops, "ICMP errors that were not passed on")                                       \
	X(to_peer_packets, "Packets relayed from clients to peers")                                \
	X(to_peer_bytes, "Bytes of payload relayed from clients to peers")                         \
	X(to_client_packets, "Packets relayed from peers to clients")                              \
	X(to_client_bytes, "Bytes of payload relayed from peers to clients")

/* Counts since the start. */
struct turn_stats {
#define X(name, help) uint64_t name;
	TURN_STATS_TABLE(X)
#undef X
	uint64_t made[TURN_PROTOCOL_N]; /* by the client's transport */
	uint64_t closed[TURN_CLOSE_N];
	uint64_t faults[TURN_FAULT_N];
};

#endif
