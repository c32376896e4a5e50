/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The numbers of STUN and TURN by name, as in IANA's registry "STUN Parameters". The server has its
 * own list in turn/stun_msg.h, so that a mistake in one is not repeated in the other.
 */
#ifndef TURN_WIRE_NUMBERS_H
#define TURN_WIRE_NUMBERS_H

/* Message types: the method, with the class "indication" for methods that have no other. A response
 * is the request's type with W_SUCCESS or W_ERROR (RFC 8489 section 5). */
enum {
	W_BINDING = 0x0001,
	W_ALLOCATE = 0x0003,
	W_REFRESH = 0x0004,
	W_CREATE_PERMISSION = 0x0008,
	W_CHANNEL_BIND = 0x0009,
	W_CONNECT = 0x000a,
	W_CONNECTION_BIND = 0x000b,
	W_SEND = 0x0016,
	W_DATA = 0x0017,
	W_CONNECTION_ATTEMPT = 0x001c,

	W_INDICATION = 0x0010,
	W_SUCCESS = 0x0100,
	W_ERROR = 0x0110,
};

#define WIRE_ATTR_TABLE(X)                                                                         \
	X(0x0001, MAPPED_ADDRESS, "MAPPED-ADDRESS")                                                \
	X(0x0003, CHANGE_REQUEST, "CHANGE-REQUEST")                                                \
	X(0x0006, USERNAME, "USERNAME")                                                            \
	X(0x0008, MESSAGE_INTEGRITY, "MESSAGE-INTEGRITY")                                          \
	X(0x0009, ERROR_CODE, "ERROR-CODE")                                                        \
	X(0x000a, UNKNOWN_ATTRIBUTES, "UNKNOWN-ATTRIBUTES")                                        \
	X(0x000c, CHANNEL_NUMBER, "CHANNEL-NUMBER")                                                \
	X(0x000d, LIFETIME, "LIFETIME")                                                            \
	X(0x0012, XOR_PEER_ADDRESS, "XOR-PEER-ADDRESS")                                            \
	X(0x0013, DATA, "DATA")                                                                    \
	X(0x0014, REALM, "REALM")                                                                  \
	X(0x0015, NONCE, "NONCE")                                                                  \
	X(0x0016, XOR_RELAYED_ADDRESS, "XOR-RELAYED-ADDRESS")                                      \
	X(0x0017, REQUESTED_ADDRESS_FAMILY, "REQUESTED-ADDRESS-FAMILY")                            \
	X(0x0018, EVEN_PORT, "EVEN-PORT")                                                          \
	X(0x0019, REQUESTED_TRANSPORT, "REQUESTED-TRANSPORT")                                      \
	X(0x001a, DONT_FRAGMENT, "DONT-FRAGMENT")                                                  \
	X(0x001b, ACCESS_TOKEN, "ACCESS-TOKEN")                                                    \
	X(0x001c, MESSAGE_INTEGRITY_SHA256, "MESSAGE-INTEGRITY-SHA256")                            \
	X(0x001d, PASSWORD_ALGORITHM, "PASSWORD-ALGORITHM")                                        \
	X(0x001e, USERHASH, "USERHASH")                                                            \
	X(0x0020, XOR_MAPPED_ADDRESS, "XOR-MAPPED-ADDRESS")                                        \
	X(0x0022, RESERVATION_TOKEN, "RESERVATION-TOKEN")                                          \
	X(0x0024, PRIORITY, "PRIORITY")                                                            \
	X(0x0025, USE_CANDIDATE, "USE-CANDIDATE")                                                  \
	X(0x0026, PADDING, "PADDING")                                                              \
	X(0x0027, RESPONSE_PORT, "RESPONSE-PORT")                                                  \
	X(0x002a, CONNECTION_ID, "CONNECTION-ID")                                                  \
	X(0x8000, ADDITIONAL_ADDRESS_FAMILY, "ADDITIONAL-ADDRESS-FAMILY")                          \
	X(0x8001, ADDRESS_ERROR_CODE, "ADDRESS-ERROR-CODE")                                        \
	X(0x8002, PASSWORD_ALGORITHMS, "PASSWORD-ALGORITHMS")                                      \
	X(0x8003, ALTERNATE_DOMAIN, "ALTERNATE-DOMAIN")                                            \
	X(0x8004, ICMP, "ICMP")                                                                    \
	X(0x8022, SOFTWARE, "SOFTWARE")                                                            \
	X(0x8023, ALTERNATE_SERVER, "ALTERNATE-SERVER")                                            \
	X(0x8028, FINGERPRINT, "FINGERPRINT")                                                      \
	X(0x802b, RESPONSE_ORIGIN, "RESPONSE-ORIGIN")                                              \
	X(0x802c, OTHER_ADDRESS, "OTHER-ADDRESS")                                                  \
	X(0x802e, THIRD_PARTY_AUTHORIZATION, "THIRD-PARTY-AUTHORIZATION")                          \
	X(0x8030, MOBILITY_TICKET, "MOBILITY-TICKET")

/* ATTR_USERNAME and so on. */
enum {
#define X(number, name, text) ATTR_##name = number,
	WIRE_ATTR_TABLE(X)
#undef X
};

#endif
