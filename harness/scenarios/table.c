/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scenarios. A new one is a row here, and a file if it plays something new.
 */
#include "harness/scenarios/check.h"
#include "harness/scenarios/crowd.h"
#include "harness/scenarios/fault.h"
#include "harness/scenarios/scenario.h"

#include <string.h>

#define CALL_LIMIT_MS  120000
#define FAULT_LIMIT_MS 150000

/* What all scenarios of the self-test page have. */
#define CHECK_PAGE                                                                                 \
	.group = GROUP_CALLS, .page_query = "check", .play = scenario_check,                       \
	.limit_ms = CALL_LIMIT_MS
#define CHECK_INSIDE(nat)                                                                          \
	"browser=ok signaling=ok servers=ok stun=ok nat=" nat                                      \
	" relay-udp-3478=ok relay-tcp-3478=ok relay-tcp-443=ok "
#define CHECK_OPEN(nat) CHECK_INSIDE(nat) "outside=ok"
#define CHECK_NO_UDP                                                                               \
	"browser=ok signaling=ok servers=ok stun=bad:not-reached nat=none "                        \
	"relay-udp-3478=bad:not-reached "
/* Over the relay ports, as it stands before a server whose owner opened 3478 and 443 only. */
#define CHECK_FIREWALL(from)                                                                       \
	"table inet firewall { chain in { type filter hook input priority filter; policy accept; " \
	"" from "udp dport 49152-65535 drop; }; }\n"

const struct scenario scenarios[] = {
    {
        .name = "call-direct",
        .purpose = "two peers with public addresses: media flows directly",
        .group = GROUP_CALLS,
        .kind = {"none", "none"},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-port-restricted",
        .purpose = "two port-restricted NATs: STUN punches a hole and media flows directly",
        .group = GROUP_CALLS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-full-cone-symmetric",
        .purpose = "a full cone lets in whom a symmetric NAT sends from",
        .group = GROUP_CALLS,
        .kind = {"full-cone", "symmetric-random"},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-port-restricted-symmetric",
        .purpose = "the one lets in only ports that the other cannot foretell",
        .group = GROUP_CALLS,
        .kind = {"port-restricted", "symmetric"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-symmetric",
        .purpose = "two symmetric NATs: the relay carries the call, for one end at least",
        .group = GROUP_CALLS,
        .kind = {"symmetric-random", "symmetric-random"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-symmetric-relay",
        .purpose = "two symmetric NATs, both ends bound to their relays: relay/relay",
        .group = GROUP_CALLS,
        .kind = {"symmetric-random", "symmetric-random"},
        .page_query = "?relay=1",
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-cgnat",
        .purpose = "two NATs in a row on one side: STUN punches through both",
        .group = GROUP_CALLS,
        .kind = {"cgnat", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-udp-blocked",
        .purpose = "no UDP on one side: its leg to the relay runs over TCP",
        .group = GROUP_CALLS,
        .kind = {"udp-blocked", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"tcp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-443-only",
        .purpose = "nothing but TCP port 443 on both sides",
        .group = GROUP_CALLS,
        .kind = {"tcp-443-only", "tcp-443-only"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"tcp", "tcp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-http-proxy",
        .purpose =
            "nothing but an HTTP proxy on one side: the relay is reached through its CONNECT",
        .group = GROUP_CALLS,
        .kind = {"http-proxy", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"tcp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-ipv6",
        .purpose = "two peers without IPv4: media flows directly through both firewalls",
        .group = GROUP_CALLS,
        .kind = {"ipv6-only", "ipv6-only"},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-ipv6-ipv4",
        .purpose = "one without IPv4, one without IPv6: the relay stands between the families",
        .group = GROUP_CALLS,
        .kind = {"ipv6-only", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-nat64",
        .purpose = "one behind NAT64, where only names lead to IPv4",
        .group = GROUP_CALLS,
        .kind = {"nat64", "port-restricted"},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-same-lan",
        .purpose = "both on one LAN: media stays there",
        .group = GROUP_CALLS,
        .kind = {"port-restricted", "port-restricted"},
        .place = PLACE_LAN,
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-isolated",
        .purpose = "both on one LAN that keeps them apart: the relay carries the call",
        .group = GROUP_CALLS,
        .kind = {"port-restricted", "port-restricted"},
        .place = PLACE_ISOLATED,
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-hairpin",
        .purpose = "the same, but the NAT hairpins: media turns around in it",
        .group = GROUP_CALLS,
        .kind = {"hairpin", "hairpin"},
        .place = PLACE_ISOLATED,
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-firefox",
        .purpose = "Chromium calls Firefox directly",
        .group = GROUP_CALLS,
        .kind = {"port-restricted", "port-restricted"},
        .product = {BROWSER_CHROMIUM, BROWSER_FIREFOX},
        .play = scenario_call,
        .expect = {.path = PATH_DIRECT},
        .limit_ms = CALL_LIMIT_MS,
    },
    {
        .name = "call-firefox-relay",
        .purpose = "Firefox calls Chromium without UDP",
        .group = GROUP_CALLS,
        .kind = {"udp-blocked", "symmetric-random"},
        .product = {BROWSER_FIREFOX, BROWSER_CHROMIUM},
        .play = scenario_call,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"tcp", "udp"}},
        .limit_ms = CALL_LIMIT_MS,
    },

    /* The self-test page. What it finds is what the lab is. */
    {
        .name = "check-nats",
        .purpose = "the self-test tells a symmetric NAT from one that keeps its ports",
        .kind = {"port-restricted", "symmetric"},
        CHECK_PAGE,
        .check = &(const struct check){.finds = {"direct: " CHECK_OPEN("ok"),
                                                 "symmetric: " CHECK_OPEN("warn")}},
    },
    {
        .name = "check-blocked",
        .purpose = "the self-test sees that UDP is blocked, or all but TCP port 443",
        .kind = {"udp-blocked", "tcp-443-only"},
        CHECK_PAGE,
        .check =
            &(const struct check){
                .finds = {"udp-blocked: " CHECK_NO_UDP "relay-tcp-3478=ok relay-tcp-443=ok "
                          "outside=none",
                          "udp-blocked: " CHECK_NO_UDP "relay-tcp-3478=bad:not-reached "
                          "relay-tcp-443=ok outside=none"}},
    },
    {
        .name = "check-public",
        .purpose = "the self-test with a public address, and without IPv4",
        .kind = {"none", "ipv6-only"},
        CHECK_PAGE,
        .check = &(const struct check){.finds = {"direct: " CHECK_OPEN("ok"),
                                                 "direct: " CHECK_INSIDE("ok") "outside=none"}},
    },
    {
        .name = "check-relay-firewall",
        .purpose = "a firewall over the relay ports: the self-test names it",
        .kind = {"port-restricted", "udp-blocked"},
        CHECK_PAGE,
        .check =
            &(const struct check){
                .server_rules = CHECK_FIREWALL(""),
                .finds = {"relayed-packets-lost: browser=ok signaling=ok servers=ok stun=ok nat=ok "
                          "relay-udp-3478=bad:relayed-packets-lost "
                          "relay-tcp-3478=bad:relayed-packets-lost "
                          "relay-tcp-443=bad:relayed-packets-lost outside=bad:relay-ports-closed",
                          "relayed-packets-lost: " CHECK_NO_UDP
                          "relay-tcp-3478=bad:relayed-packets-lost "
                          "relay-tcp-443=bad:relayed-packets-lost outside=none"}},
        .alone = true,
    },
    {
        .name = "check-relay-firewall-outside",
        .purpose = "the same, seen only by those who send from outside",
        .kind = {"port-restricted", "symmetric"},
        CHECK_PAGE,
        .check = &(const struct check){.server_rules = CHECK_FIREWALL("iifname != \"lo\" "),
                                       .finds = {"relay-ports-closed: " CHECK_INSIDE(
                                                     "ok") "outside=bad:relay-ports-closed",
                                                 "relay-ports-closed: " CHECK_INSIDE(
                                                     "warn") "outside=bad:relay-ports-closed"}},
        .alone = true,
    },
    {
        .name = "check-firefox",
        .purpose = "the self-test in Firefox",
        .kind = {"symmetric", "udp-blocked"},
        .product = {BROWSER_FIREFOX, BROWSER_FIREFOX},
        CHECK_PAGE,
        .check = &(const struct check){.finds = {"symmetric: " CHECK_OPEN("warn"),
                                                 "udp-blocked: " CHECK_NO_UDP
                                                 "relay-tcp-3478=ok relay-tcp-443=ok "
                                                 "outside=none"}},
    },
    {
        .name = "check-key",
        .purpose = "no guests: the self-test asks for a key, and says that a wrong one is refused",
        .kind = {"none", "none"},
        CHECK_PAGE,
        .server_options = (const char *const[]){"--guests", "no", NULL},
        .check =
            &(const struct check){
                .steps = {{"#key", "not-a-key"}, {"#key-form button", NULL}},
                .finds = {"key-refused: browser=ok signaling=ok servers=bad:key-refused",
                          "access-key-needed: browser=ok signaling=ok "
                          "servers=warn:access-key-needed"}},
        .alone = true,
    },

    {
        .name = "check-own-server",
        .purpose = "the self-test of a server that one of them names: its password is wrong",
        .kind = {"port-restricted", "full-cone"},
        CHECK_PAGE,
        .check =
            &(const struct check){
                .steps = {{"summary", NULL},
                          {"#own-servers", "turn:203.0.113.10:3478?transport=udp"},
                          {"#own-user", "mallory"},
                          {"#own-password", "xyzzy-xyzzy"},
                          {"#use-own", NULL}},
                .finds = {"relay-credentials-refused: browser=ok signaling=ok servers=ok stun=ok "
                          "nat=none relay-udp-3478=bad:credentials-refused outside=none",
                          "direct: " CHECK_OPEN("ok")}},
    },

    /* Faults in mid-call. The times were measured (docs/harness.md) and have a margin for
     * machines under load. */
    {
        .name = "fault-relay-killed",
        .purpose = "the relay of a UDP call is killed and back 2 s later: both recover",
        .group = GROUP_FAULTS,
        .kind = {"symmetric", "symmetric"},
        .page_query = "?relay=1",
        .play = scenario_fault,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true},
        .fault =
            &(const struct fault){
                .what = "killing the appliance",
                .strike = strike_kill,
                .heal = heal_start,
                .heal_after_ms = 2000,
                .expect = {.back_ms = 12000,
                           .online_ms = 8000,
                           .after = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}}},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-relay-killed-tcp",
        .purpose = "the same over TCP, where every connection with the relay is lost",
        .group = GROUP_FAULTS,
        .kind = {"udp-blocked", "udp-blocked"},
        .play = scenario_fault,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"tcp", "tcp"}},
        .fault =
            &(const struct fault){
                .what = "killing the appliance",
                .strike = strike_kill,
                .heal = heal_start,
                .heal_after_ms = 2000,
                .expect = {.back_ms = 14000,
                           .online_ms = 8000,
                           .after = {.path = PATH_RELAY, .relay_protocol = {"tcp", "tcp"}}},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-appliance-killed-direct",
        .purpose = "a direct call outlives the appliance; signaling is back when that is",
        .group = GROUP_FAULTS,
        .kind = {"none", "none"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "killing the appliance",
                .strike = strike_kill,
                .heal = heal_start,
                .heal_after_ms = 4000,
                .expect = {.back_ms = 1000,
                           .gap_ms = 1500,
                           .watch_ms = 8000,
                           .online_ms = 10000,
                           .after = {.path = PATH_DIRECT}},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-signaling-reset",
        .purpose = "TCP with the appliance is reset for 5 s: a direct call does not notice",
        .group = GROUP_FAULTS,
        .kind = {"none", "none"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "resetting TCP",
                .strike = strike_reset_tcp,
                .heal = heal_tcp,
                .heal_after_ms = 5000,
                .expect = {.back_ms = 1000,
                           .gap_ms = 1500,
                           .watch_ms = 8000,
                           .online_ms = 10000,
                           .after = {.path = PATH_DIRECT}},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-drained",
        .purpose = "the relay is drained and started anew: a call goes on until the limit",
        .group = GROUP_FAULTS,
        .kind = {"symmetric", "symmetric"},
        .page_query = "?relay=1",
        .server_options = (const char *const[]){"--drain-timeout", "6", NULL},
        .play = scenario_fault,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true},
        .fault =
            &(const struct fault){
                .what = "draining the appliance",
                .strike = strike_drain,
                .heal = heal_drained,
                .heal_after_ms = 8000,
                .expect = {.back_ms = 12000,
                           .gap_ms = 18000,
                           .online_ms = 8000,
                           .after = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}}},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-udp-blocked",
        .purpose = "UDP is blocked under a direct call: the relay takes over by TCP",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "blocking UDP",
                .strike = strike_block_udp,
                .side = LAB_A,
                .expect = {.back_ms = 15000,
                           .watch_ms = 6000,
                           .after = {.path = PATH_RELAY, .relay_protocol = {"tcp", NULL}}},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-rebind-direct",
        .purpose = "a NAT forgets its mappings under a direct call",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "rebinding the NAT",
                .strike = strike_rebind,
                .side = LAB_A,
                .expect = {.back_ms = 14000, .watch_ms = 8000, .any_path = true},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-rebind-relayed",
        .purpose = "a NAT forgets its mappings under a relayed call",
        .group = GROUP_FAULTS,
        .kind = {"symmetric", "symmetric"},
        .page_query = "?relay=1",
        .play = scenario_fault,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true},
        .fault =
            &(const struct fault){
                .what = "rebinding the NAT",
                .strike = strike_rebind,
                .side = LAB_A,
                .expect = {.back_ms = 14000, .watch_ms = 8000, .after = {.path = PATH_RELAY}},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-client-address",
        .purpose = "a client gets another address on its LAN: a new path is found",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "changing the client's address",
                .strike = strike_client_address,
                .side = LAB_A,
                .expect =
                    {.back_ms = 25000, .watch_ms = 8000, .online_ms = 40000, .any_path = true},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-wan-address",
        .purpose = "a router gets another public address: a new path is found",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "changing the WAN address",
                .strike = strike_wan_address,
                .side = LAB_A,
                .expect =
                    {.back_ms = 25000, .watch_ms = 8000, .online_ms = 40000, .any_path = true},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-blackout-3s",
        .purpose = "one side is cut off for 3 s: the call heals by itself",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "the blackout of 3 s",
                .strike = strike_cut,
                .heal = heal_cut,
                .heal_after_ms = 3000,
                .side = LAB_A,
                .expect = {.back_ms = 6000,
                           .watch_ms = 8000,
                           .online_ms = 10000,
                           .after = {.path = PATH_DIRECT}},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-blackout-12s",
        .purpose = "one side is cut off for 12 s: the call is found again",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "the blackout of 12 s",
                .strike = strike_cut,
                .heal = heal_cut,
                .heal_after_ms = 12000,
                .side = LAB_A,
                .expect = {.back_ms = 14000, .online_ms = 20000, .any_path = true},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-blackout-25s",
        .purpose = "one side is cut off for 25 s: the call has failed, and is restarted",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "the blackout of 25 s",
                .strike = strike_cut,
                .heal = heal_cut,
                .heal_after_ms = 25000,
                .side = LAB_A,
                .expect = {.back_ms = 16000, .online_ms = 30000, .any_path = true},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-blackout",
        .purpose = "one side is cut off for good: both pages end the call and say why",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "the blackout",
                .strike = strike_cut,
                .side = LAB_A,
                .expect = {.ends_ms = 115000, .reason = "connection was lost"},
            },
        .limit_ms = FAULT_LIMIT_MS + 60000,
    },
    {
        .name = "fault-loss-5",
        .purpose = "5 % of the packets are lost each way: the call holds",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "losing 5 %",
                .strike = strike_link,
                .side = LAB_A,
                .link = {.loss_percent = 5},
                .expect = {.back_ms = 20000,
                           .gap_ms = 3000,
                           .watch_ms = 12000,
                           .loss_percent = {2, 9},
                           .after = {.path = PATH_DIRECT}},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-loss-10",
        .purpose = "10 % of the packets are lost each way: the call holds",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "losing 10 %",
                .strike = strike_link,
                .side = LAB_A,
                .link = {.loss_percent = 10},
                .expect = {.back_ms = 20000,
                           .gap_ms = 4000,
                           .watch_ms = 12000,
                           .loss_percent = {6, 16},
                           .after = {.path = PATH_DIRECT}},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-thin-link",
        .purpose = "a thin, slow link (300 kbit/s, 60 ms and up to 20 more): the call holds",
        .group = GROUP_FAULTS,
        .kind = {"port-restricted", "port-restricted"},
        .play = scenario_fault,
        .expect = {.path = PATH_DIRECT},
        .fault =
            &(const struct fault){
                .what = "making the link thin",
                .strike = strike_link,
                .side = LAB_A,
                .link = {.rate_kbit = 300, .delay_ms = 60, .jitter_ms = 20},
                .expect = {.back_ms = 20000,
                           .gap_ms = 4000,
                           .watch_ms = 12000,
                           .rtt_ms = {100, 700},
                           .after = {.path = PATH_DIRECT}},
            },
        .limit_ms = FAULT_LIMIT_MS,
    },
    {
        .name = "fault-credential-renewed",
        .purpose = "a relayed call lives over the end of its credentials: they are renewed",
        .group = GROUP_FAULTS,
        .kind = {"symmetric", "symmetric"},
        .page_query = "?relay=1",
        /* The shortest that it takes. What is refreshed with an expired credential ends. */
        .server_options =
            (const char *const[]){"--credential-ttl", "30", "--strict-expiry", "--default-lifetime",
                                  "30", "--max-lifetime", "30", NULL},
        .play = scenario_fault,
        .expect = {.path = PATH_RELAY, .both_legs = true},
        .fault =
            &(const struct fault){
                .what = "two expiries",
                .strike = strike_expiries,
                .expect = {.back_ms = 120000,
                           .gap_ms = 1500,
                           .after = {.path = PATH_RELAY, .both_legs = true}},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-credential-expired",
        .purpose = "a NAT forgets its mappings when the credentials of the call have expired",
        .group = GROUP_FAULTS,
        .kind = {"symmetric", "symmetric"},
        .page_query = "?relay=1",
        .server_options = (const char *const[]){"--credential-ttl", "30", NULL},
        .play = scenario_fault,
        .expect = {.path = PATH_RELAY, .both_legs = true},
        .fault =
            &(const struct fault){
                .what = "rebinding the NAT",
                .before = await_expiry,
                .strike = strike_rebind,
                .side = LAB_A,
                .expect = {.back_ms = 20000, .watch_ms = 8000, .after = {.path = PATH_RELAY}},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-user-revoked",
        .purpose = "a user is revoked: his relayed call ends, and both are told why",
        .group = GROUP_FAULTS,
        .kind = {"symmetric", "symmetric"},
        .page_query = "?relay=1",
        .play = scenario_fault,
        .expect = {.path = PATH_RELAY, .both_legs = true},
        .fault =
            &(const struct fault){
                .what = "revoking alice",
                .strike = strike_revoke,
                .expect = {.silent_ms = 2000, .ends_ms = 4000, .reason = "access was revoked"},
            },
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-ten-calls",
        .purpose = "ten calls at once over one appliance, every other one relayed",
        .group = GROUP_FAULTS,
        .kind = {"none", "none"},
        .play = scenario_crowd,
        .crowd = &(const struct crowd){.calls = 10,
                                       .connected_ms = 30000,
                                       .window_ms = 4000,
                                       .frames_least = 4,
                                       .packets_least = 100},
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
    {
        .name = "fault-soak",
        .purpose = "a relayed call over many lifetimes of allocation and nonce",
        .group = GROUP_FAULTS,
        .kind = {"symmetric", "symmetric"},
        .page_query = "?relay=1",
        /* The shortest that it takes: 2 minutes are 8 refreshes and 2 nonces. */
        .server_options = (const char *const[]){"--default-lifetime", "30", "--max-lifetime", "30",
                                                "--nonce-lifetime", "60", NULL},
        .play = scenario_soak,
        .expect = {.path = PATH_RELAY, .relay_protocol = {"udp", "udp"}, .both_legs = true},
        .soak = &(
            const struct soak){.minutes = 2, .gap_ms = 2500, .judge_ms = 30000, .growth_kb = 16384},
        .limit_ms = FAULT_LIMIT_MS,
        .alone = true,
    },
};

const size_t scenarios_n = sizeof(scenarios) / sizeof(*scenarios);

const struct scenario scenario_matrix = {
    .name = "matrix",
    .purpose = "a call between these two NAT kinds",
    .group = GROUP_MATRIX,
    .play = scenario_call,
    .limit_ms = CALL_LIMIT_MS,
};

const char *scenario_group_name(enum scenario_group group)
{
	static const char *const name[GROUPS] = {
	    [GROUP_CALLS] = "calls",
	    [GROUP_MATRIX] = "matrix",
	    [GROUP_FAULTS] = "faults",
	    [GROUP_AGAINST] = "against",
	};

	return name[group];
}

const struct scenario *scenario_find(const char *name)
{
	for (size_t i = 0; i < scenarios_n; i++) {
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	}
	return NULL;
}
