"""Values that the schema alone cannot tell to be wrong: files that are not there, names of nothing, keys that do not go
together. A start with one of them is refused and says file, line, column, key, what is wrong and what would help."""
import os

from harness import BINARY, Skipped
from keys.listener import NO_ADDRESS
from keys.tls import PAIR

REFUSALS = []


def refuses(key, value, *words, beside=None, prepare=None, without=()):
    """The message names the place of the key's value, and has all these words."""
    REFUSALS.append((key, value, words, beside or {}, prepare, without))


def a_pair(case):
    case.run([BINARY, "tls", "init", case.directory() / "pki", "--name", "localhost", "--client", "pump"], "tls init")
    case.file("empty", "")


def only_as_root(_case):
    if os.geteuid() != 0:
        raise Skipped("only root becomes somebody else")


def a_file(case):
    case.file("file", "no directory\n")


def damaged_files(case):
    case.file("passwords", "no colon\n")
    case.file("acl", "topic raed a\n")
    case.file("rules.toml", "[[rule]]\nalow = 1\n")
    case.file("keys", "ann\n")


# ---- [[listener]] ----
refuses("listener.address", '"10.0.0.999"', "10.0.0.999", '"127.0.0.1"')
refuses("listener.address", '"192.0.2.1"', "does not have that address", "ip address")
refuses("listener.path", '"{dir}/' + "x" * 120 + '"', "may have 1 to 107 bytes", without=NO_ADDRESS)
refuses("listener.path", '"{dir}/missing/x.sock"', "missing", without=NO_ADDRESS)
refuses("listener.interface", '"nosuch0"', "nosuch0")
refuses("listener.ip", '"6"', "has no address of IP version 6", '"both"')
refuses("listener.websocket.origins", '["plant.example"]', "plant.example", '"https://plant.example"')
refuses("listener.websocket.origins", '["https://plant.example/page"]', "https://plant.example/page", "without a path")
refuses("listener.proxy.trusted", '["10.0.0.0/64"]', '"10.0.0.0/64" is no network')
for table in ("auth", "listener.auth"):
    refuses(f"{table}.password_file", '"{dir}/nowhere"', "cannot read", "nowhere: No such file")
    refuses(f"{table}.password_file", '"{dir}/passwords"', "passwords:1:", prepare=damaged_files)
    refuses(f"{table}.acl_file", '"{dir}/nowhere"', "cannot read", "nowhere: No such file")
    refuses(f"{table}.acl_file", '"{dir}/acl"', "acl:1:", "raed", prepare=damaged_files)
    refuses(f"{table}.acl_file", '"{dir}/rules.toml"', "rules.toml:2:1:", "alow", prepare=damaged_files)
for table in ("limits", "listener"):
    refuses(f"{table}.mount_point", '"a/#"', "must not contain + or #")

# ---- [listener.tls] ----
for name in ("certificate", "key"):
    refuses(f"listener.tls.{name}", '"{dir}/nowhere"', "nowhere: No such file", beside=PAIR, prepare=a_pair)
    refuses(f"listener.tls.{name}", '"{dir}/empty"', "is empty", beside=PAIR, prepare=a_pair)
    more = {key.replace(".tls.", ".tls.more."): value for key, value in PAIR.items()}
    refuses(f"listener.tls.more.{name}", '"{dir}/nowhere"', "nowhere: No such file", beside={**PAIR, **more},
            prepare=a_pair)
for name in ("dh_params", "client_ca", "crl", "psk_file"):
    demanded = {**PAIR, "listener.tls.client_certificate": '"required"', "listener.tls.client_ca": '"{dir}/pki/ca.pem"'}
    refuses(f"listener.tls.{name}", '"{dir}/nowhere"', "nowhere: No such file", beside=demanded, prepare=a_pair)
refuses("listener.tls.client_ca_dir", '"{dir}/nowhere"', "nowhere", beside={**PAIR, "listener.tls.client_certificate":
                                                                            '"required"'}, prepare=a_pair)
refuses("listener.tls.psk_file", '"{dir}/keys"', "keys:1:", "identity:", prepare=damaged_files)
for name in ("ciphers", "ciphers_tls13"):
    refuses(f"listener.tls.{name}", '"NO-SUCH-SUITE"', "NO-SUCH-SUITE", beside=PAIR, prepare=a_pair)
refuses("listener.tls.min_version", '"1.3"', "max_version", beside={**PAIR, "listener.tls.max_version": '"1.2"'},
        prepare=a_pair)
refuses("listener.tls.client_certificate", '"required"', "client_ca", beside=PAIR, prepare=a_pair)

# ---- [node] and [log] ----
refuses("node.data", '"{dir}/file"', "data directory", "Not a directory", prepare=a_file)
refuses("node.pid_file", '"{dir}/missing/pid"', "missing/pid", "No such file")
refuses("node.user", '"nobody-of-that-name"', "useradd", prepare=only_as_root)
refuses("node.shards", "48", "power of two")
refuses("node.shards", "4", "4 shards cannot occupy 8 workers", beside={"node.workers": "8"})
refuses("log.destination", '"{dir}/missing/log"', "mkdir -p")

# Keys whose every text is a right one.
ANY_TEXT = {
    "listener.name": "a name is a name; twice the same is refused where the second listener begins",
    "limits.client_id_prefix": "client ids are any text",
    "limits.auto_id_prefix": "client ids are any text",
    "listener.tls.psk_hint": "clients choose by it as they like",
    "log.time_format": "strftime writes what it does not know as it stands",
}
