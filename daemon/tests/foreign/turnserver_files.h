/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Files of turnserver.conf as people have them, in the manner of what guides and packages bring. %s
 * is a folder with a certificate (fullchain.pem, privkey.pem).
 */
#ifndef DAEMON_TESTS_FOREIGN_TURNSERVER_FILES_H
#define DAEMON_TESTS_FOREIGN_TURNSERVER_FILES_H

static const struct {
	const char *name, *text;
	const char *secret;          /* of its time-limited credentials; else */
	const char *user, *password; /* one of its users; NULL: it has none */
	unsigned port;
} turnserver_files[] = {
    {"debian", /* what the package leaves switched on */
     "# Coturn TURN SERVER configuration file\n"
     "#listening-port=3478\n"
     "syslog\nno-rfc5780\nno-stun-backward-compatibility\nresponse-origin-only-with-rfc5780\n",
     NULL, NULL, NULL, 3478},
    {"talk",
     "listening-port=3478\n"
     "fingerprint\nuse-auth-secret\nstatic-auth-secret=0f1e2d3c4b5a69788796a5b4c3d2e1f0\n"
     "realm=cloud.example.org\ntotal-quota=0\nbps-capacity=0\nstale-nonce\nno-multicast-peers\n",
     "0f1e2d3c4b5a69788796a5b4c3d2e1f0", NULL, NULL, 3478},
    {"meetings",
     "use-auth-secret\nkeep-address-family\nstatic-auth-secret=aW5zaWRl\n"
     "realm=meet.example.org\ncert=%1$s/fullchain.pem\npkey=%1$s/privkey.pem\n"
     "no-multicast-peers\nno-cli\nno-loopback-peers\nno-tcp-relay\nno-tcp\n"
     "listening-port=3478\ntls-listening-port=5349\nno-tlsv1\nno-tlsv1_1\n"
     "cipher-list=ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
     "ECDHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384\ndh2066\n"
     "denied-peer-ip=0.0.0.0-0.255.255.255\ndenied-peer-ip=10.0.0.0-10.255.255.255\n"
     "denied-peer-ip=100.64.0.0-100.127.255.255\ndenied-peer-ip=127.0.0.0-127.255.255.255\n"
     "denied-peer-ip=169.254.0.0-169.254.255.255\ndenied-peer-ip=127.0.0.0-127.255.255.255\n"
     "denied-peer-ip=172.16.0.0-172.31.255.255\ndenied-peer-ip=192.0.0.0-192.0.0.255\n"
     "denied-peer-ip=192.168.0.0-192.168.255.255\ndenied-peer-ip=240.0.0.0-255.255.255.255\n"
     "syslog\n",
     "aW5zaWRl", NULL, NULL, 3478},
    {"homeserver",
     "use-auth-secret\nstatic-auth-secret=\"n0rth\"\nrealm=turn.matrix.example.org\nno-tcp-relay\n"
     "denied-peer-ip=10.0.0.0-10.255.255.255\ndenied-peer-ip=192.168.0.0-192.168.255.255\n"
     "denied-peer-ip=172.16.0.0-172.31.255.255\n"
     "no-multicast-peers\ndenied-peer-ip=::1\ndenied-peer-ip=64:ff9b::-64:ff9b::ffff:ffff\n"
     "denied-peer-ip=::ffff:0.0.0.0-::ffff:255.255.255.255\ndenied-peer-ip=2002::-2002:ffff:ffff:"
     "ffff:"
     "ffff:ffff:ffff:ffff\ndenied-peer-ip=fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n"
     "denied-peer-ip=fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n"
     "allowed-peer-ip=10.0.0.1\nuser-quota=12 # 4 streams a call, 3 calls\ntotal-quota=1200\n",
     "n0rth", NULL, NULL, 3478},
    {"classroom",
     "listening-ip=45.45.0.1\nlistening-port=3478\ntls-listening-port=443\n"
     "relay-ip=45.45.0.1\nexternal-ip=45.45.0.1\nmin-port=32769\nmax-port=65535\n"
     "fingerprint\nlt-cred-mech\nuse-auth-secret\nstatic-auth-secret=c0ffee\n"
     "realm=class.example.org\ncert=%1$s/fullchain.pem\npkey=%1$s/privkey.pem\n"
     "cipher-list=\"ECDHE-RSA-AES256-GCM-SHA384\"\ndh-file=/etc/turnserver/dhp.pem\n"
     "keep-address-family\nno-cli\nno-tlsv1\nno-tlsv1_1\nno-rfc5780\n"
     "log-file=/var/log/coturn.log\nsimple-log\nproc-user=turnserver\nproc-group=turnserver\n",
     "c0ffee", NULL, NULL, 3478},
    {"gateway",
     "# simple TURN for a gateway\r\nfingerprint\r\nlt-cred-mech\r\nuser=gateway:s3cret pass\r\n"
     "realm=gw.example.org\r\nno-tls\r\nno-dtls\r\nmobility\r\nverbose\r\nno-cli",
     NULL, "gateway", "s3cret pass", 3478},
    {"container",
     "listening-ip=0.0.0.0\nlistening-port=3478\nlog-file=stdout\nno-tls\nno-dtls\nno-cli\n"
     "lt-cred-mech\nrealm=docker\nuser=test:test123\nmin-port=49160\nmax-port=49200\n"
     "alt-listening-port=3479\nno-multicast-peers\nno-software-attribute\n"
     "pidfile=\"/var/tmp/turnserver.pid\"\n",
     NULL, "test", "test123", 3478},
    {"cloud-nat",
     "listening-port 3478\ntls-listening-port 5349\nexternal-ip=1.2.3.4/45.45.0.1\n"
     "user = guest:somepassword\nrealm example.org\nmin-port=49152\nmax-port=65535\n"
     "Verbose\nfingerprint\nlt-cred-mech\nstale-nonce=600\nmax-bps=3000000\nbps-capacity=0\n"
     "cert=/etc/letsencrypt/live/turn.example.org/cert.pem\n"
     "pkey=/etc/letsencrypt/live/turn.example.org/privkey.pem\n",
     NULL, "guest", "somepassword", 3478},
    {"low-ports", /* a range with the listeners in it */
     "listening-port=3478\nmin-port=1024\nmax-port=65535\nlt-cred-mech\nuser=a:b\nrealm=x\n"
     "max-allocate-lifetime=3600\nchannel-lifetime=600\npermission-lifetime=300\n",
     NULL, "a", "b", 3478},
    {"two-cards",
     "listening-ip=45.45.0.1\nlistening-ip=45.45.0.2\nrelay-ip=45.45.0.1\nrelay-ip=45.45.0.1\n"
     "lt-cred-mech\nuser=bob:builder\nuser=bob:builder2\nrealm=two.example.org\n"
     "aux-server=45.45.0.1:3478\naux-server=45.45.0.1:80\nrelay-threads=2\n",
     NULL, "bob", "builder2", 3478},
    {"https-port",
     "\xef\xbb\xbf# saved on another system\r\nlistening-port=443\r\ntls-listening-port=443\r\n"
     "alt-listening-port=0\r\nuse-auth-secret\r\nstatic-auth-secret=one\r\nstatic-auth-secret="
     "two\r\n"
     "realm=turn.example.org\r\nserver-name=turn.example.org\r\nprometheus\r\nweb-admin\r\n",
     "two", NULL, NULL, 443},
    {"keys",
     "lt-cred-mech\nrealm=keys.example.org\nuser=dora:0x52ab24fbb2c2b0c6d54ef6b1b1c7d1d4\n"
     "user=erin:pw\nuser-quota=100;\ntotal-quota = 1000\nno-udp-relay=0\nsecure-stun=no\n",
     NULL, "erin", "pw", 3478},
    {"later", /* of 4.18 */
     "listening-port=3478\nlt-cred-mech\nuser=new:er\nrealm=later.example.org\ndtls\nrfc5780\n"
     "log-min-level=info\nstateless-nonce\nunauthorized-ratelimit\nunauthorized-ratelimit-rps=100\n"
     "udp-recvmmsg\nudp-gso\ncpus=2\nprometheus\nprometheus-address=127.0.0.1\n"
     "rfc5766-channel-numbers\ndrain-min-allocations=0\nsock-buf-size=262144\n",
     NULL, "new", "er", 3478},
    {"early", /* of 4.5 */
     "listening-port=3478\nlt-cred-mech\nuser=old:er\nrealm=early.example.org\nno-sslv2\nno-sslv3\n"
     "no-tlsv1\nprod\nno-loopback-peers\ndh2066\nne=1\nsecret-ts-exp-time=100\n"
     "psql-userdb=\"host=localhost dbname=coturn user=turn password=turn\"\n",
     NULL, "old", "er", 3478},
};

#endif
