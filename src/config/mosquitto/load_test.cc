#include "config/mosquitto/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "config/difference.h"
#include "config/mosquitto/keys.h"
#include "config/mosquitto/origins.h"

namespace nightjar::config::mosquitto {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Files that lie nowhere.
class MapFiles final : public Files {
 public:
  explicit MapFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}

  Result<std::string> read(const std::string& path) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return fail("cannot read " + path);
    return found->second;
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::vector<std::string> names;
    const std::string prefix = directory + "/";
    for (const auto& [path, text] : files_) {
      if (path.starts_with(prefix)) names.push_back(path.substr(prefix.size()));
    }
    if (names.empty()) return fail("cannot read the directory " + directory);
    return names;
  }

 private:
  std::map<std::string, std::string> files_;
};

Result<Config, Problems> read(std::string text, const Options& options = {}) {
  MapFiles files{{{"m.conf", std::move(text)}}};
  return load("m.conf", files, options);
}

Config good(std::string text, const Options& options = {}) {
  auto config = read(std::move(text), options);
  EXPECT_TRUE(config.has_value()) << config.error().front();
  return config ? *config : Config{.listeners = std::vector<ListenerConfig>(2)};
}

// The problems of `text`, or a line that says there are none.
Problems problems(std::string text, const Options& options = {}) {
  const auto config = read(std::move(text), options);
  return config ? Problems{"no problem"} : config.error();
}

// ---- lines ----

TEST(MosquittoLines, AreNamesAndValues) {
  const auto lines = split_lines("# comment\r\n\r\nlistener 1883\r\n   user   a b \t\n   \nlast");
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0].name, "listener");
  EXPECT_EQ(lines[0].value, "1883");
  EXPECT_EQ(lines[0].number, 3u);
  EXPECT_EQ(lines[1].value, "a b") << "spaces inside stay";
  EXPECT_EQ(lines[2].name, "last") << "without a line end";
  EXPECT_EQ(lines[2].number, 6u);
}

TEST(MosquittoLines, ATabEndsNoName) {
  EXPECT_EQ(split_lines("listener\t1883").at(0).name, "listener\t1883");
}

TEST(MosquittoLines, AByteOrderMarkIsNothing) {
  EXPECT_EQ(split_lines("\xEF\xBB\xBFport 1").at(0).name, "port");
}

TEST(MosquittoLines, IncludedFilesAreSortedByLetterThenCase) {
  std::vector<std::string> names{"b.conf", "A.conf", "01.conf", "a.conf", "B.conf", "00.conf", "ab.conf"};
  std::sort(names.begin(), names.end(), is_included_before);
  EXPECT_THAT(names, ElementsAre("00.conf", "01.conf", "A.conf", "a.conf", "ab.conf", "B.conf", "b.conf"));
}

// ---- which language ----

TEST(MosquittoConf, IsKnownByItsNameOrByWhatItSays) {
  EXPECT_TRUE(is_mosquitto_conf("a/mosquitto.conf", ""));
  EXPECT_TRUE(is_mosquitto_conf("broker.conf", "# c\nlistener 1883\n"));
  EXPECT_FALSE(is_mosquitto_conf("broker.conf", "# c\n[node]\nworkers = 1\n"));
  EXPECT_FALSE(is_mosquitto_conf("nightjar.toml", "listener 1883\n"));
  EXPECT_TRUE(is_mosquitto_conf("broker", "listener 1883\n"));
  EXPECT_FALSE(is_mosquitto_conf("broker", "log.level = \"info\"\n"));
  EXPECT_FALSE(is_mosquitto_conf("broker", "[log]\n"));
  EXPECT_FALSE(is_mosquitto_conf("broker", ""));
}

// ---- defaults ----

TEST(MosquittoConf, AnEmptyFileServesThisMachineOnly) {
  const Config config = good("", {.port = 1999});
  ASSERT_THAT(config.listeners, SizeIs(1));
  const ListenerConfig& only = config.listeners[0];
  EXPECT_EQ(only.address, "localhost");
  EXPECT_EQ(only.port, 1999);
  EXPECT_TRUE(only.policy.allow_anonymous);
  EXPECT_EQ(only.policy.inflight_max, 20);
  EXPECT_EQ(only.policy.receive_maximum, 20);
  EXPECT_EQ(only.policy.packet_bytes_max, 2'000'000u);
  EXPECT_EQ(only.policy.topic_alias_maximum, 10);
  EXPECT_EQ(only.policy.topic_alias_maximum_out, 10);
  EXPECT_EQ(only.policy.queue.messages_max, 1000u);
  EXPECT_FALSE(only.policy.queue.queue_qos0_offline);
  EXPECT_EQ(only.policy.session_expiry_max_s, 0xFFFFFFFF);
  EXPECT_TRUE(only.policy.allow_empty_client_id);
  EXPECT_EQ(only.policy.auto_id_prefix, "auto-");
  EXPECT_TRUE(only.auth.is_mosquitto);
  EXPECT_EQ(config.node.durability, Durability::kMemory);
  EXPECT_EQ(config.node.data_dir, "") << "nothing is kept";
  EXPECT_TRUE(config.is_mosquitto);
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(MosquittoConf, AListenerIsForEverybodyWhoIsKnown) {
  const Config config = good("listener 1884\n", {.port = 1999});
  ASSERT_THAT(config.listeners, SizeIs(1)) << "the default one is not opened";
  EXPECT_EQ(config.listeners[0].address, "*");
  EXPECT_EQ(config.listeners[0].port, 1884);
  EXPECT_FALSE(config.listeners[0].policy.allow_anonymous);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("-p 1999 is ignored")));
}

TEST(MosquittoConf, OptionsBeforeTheFirstListenerBelongToTheDefaultOne) {
  const Config config = good("max_qos 1\nlistener 1884\nmax_connections 5\n");
  ASSERT_THAT(config.listeners, SizeIs(2)) << "Mosquitto opens the default one because of them";
  EXPECT_EQ(config.listeners[0].policy.maximum_qos, mqtt::Qos::kExactlyOnce);
  EXPECT_EQ(config.listeners[0].policy.connections_max, 5u);
  EXPECT_EQ(config.listeners[1].port, 1883);
  EXPECT_EQ(config.listeners[1].policy.maximum_qos, mqtt::Qos::kAtLeastOnce);
  EXPECT_EQ(config.listeners[1].policy.connections_max, 0u);
}

TEST(MosquittoConf, PortOfTheFileComesBeforeThatOfTheCommandLine) {
  const Config config = good("port 1885\n", {.port = 1999});
  EXPECT_EQ(config.listeners.at(0).port, 1885);
  EXPECT_EQ(config.listeners[0].address, "*");
  EXPECT_FALSE(config.listeners[0].policy.allow_anonymous);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("-p 1999 is ignored")));
}

TEST(MosquittoConf, PerListenerSettingsStandAboveWhatTheyDivide) {
  for (const std::string before :
       {"allow_anonymous true", "password_file /p", "plugin mosquitto_acl_file.so"}) {
    EXPECT_THAT(problems(before + "\nlistener 1\nper_listener_settings true\n"),
                ElementsAre(HasSubstr("m.conf:3: \"per_listener_settings\" must stand above")))
        << before;
  }
  EXPECT_THAT(good("allow_anonymous true\nlistener 1\nper_listener_settings false\n").listeners, SizeIs(1));
}

TEST(MosquittoConf, ACommentMayStandBehindAListener) {
  const Config config = good("listener 1884 # for the plant\nlistener 1885 127.0.0.1\n");
  EXPECT_EQ(config.listeners.at(0).address, "*");
  EXPECT_EQ(config.listeners.at(1).address, "127.0.0.1");
}

TEST(MosquittoConf, AnonymousClientsAreEverybodysOrEachListeners) {
  const Config together = good("listener 1884\nlistener 1885\nallow_anonymous true\n");
  EXPECT_TRUE(together.listeners.at(0).policy.allow_anonymous &&
              together.listeners.at(1).policy.allow_anonymous);
  const Config each =
      good("per_listener_settings true\nlistener 1884\nlistener 1885\nallow_anonymous true\n");
  EXPECT_FALSE(each.listeners.at(0).policy.allow_anonymous);
  EXPECT_TRUE(each.listeners.at(1).policy.allow_anonymous);
  const Config own =
      good("allow_anonymous true\nlistener 1884\nlistener_allow_anonymous false\nlistener 1885\n");
  EXPECT_FALSE(own.listeners.at(0).policy.allow_anonymous);
  EXPECT_TRUE(own.listeners.at(1).policy.allow_anonymous);
}

TEST(MosquittoConf, PersistenceLiesBesideMosquittosFile) {
  const Config config =
      good("persistence true\npersistence_location /var/lib/mosquitto/\npersistence_file a.db\n");
  EXPECT_EQ(config.node.durability, Durability::kFsync);
  EXPECT_EQ(config.node.data_dir, "/var/lib/mosquitto/a.db.nightjar");
  EXPECT_EQ(good("persistence true\n").node.data_dir, "mosquitto.db.nightjar");
}

TEST(MosquittoConf, VerboseLogsEverything) {
  EXPECT_EQ(good("log_type error\n", {.is_verbose = true}).log.level, log::Level::kDebug);
  EXPECT_EQ(good("log_type none\n", {.is_verbose = true}).log.destination, "stderr");
}

// ---- includes ----

TEST(MosquittoConf, IncludesFilesInOrder) {
  MapFiles files{{{"m.conf", "max_queued_messages 1\nlistener 1884\ninclude_dir d\nmax_connections 7\n"},
                  {"d/b.conf", "max_queued_messages 3\nallow_anonymous true\n"},
                  {"d/A.conf", "max_queued_messages 2\n"},
                  {"d/notes.txt", "nonsense\n"}}};
  const auto config = load("m.conf", files, {});
  ASSERT_TRUE(config.has_value()) << config.error().front();
  EXPECT_EQ(config->listeners.at(0).policy.queue.messages_max, 3u);
  EXPECT_TRUE(config->listeners.at(0).policy.allow_anonymous);
  EXPECT_EQ(config->listeners.at(0).policy.connections_max, 7u) << "the listener goes on behind the include";
}

TEST(MosquittoConf, ProblemsNameTheFileTheyAreIn) {
  MapFiles files{{{"m.conf", "include_dir d\ninclude_dir nowhere\n"}, {"d/a.conf", "\nfoo 1\n"}}};
  const auto config = load("m.conf", files, {});
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error(), ElementsAre(HasSubstr("d/a.conf:2: unknown configuration variable \"foo\""),
                                          AllOf(HasSubstr("m.conf:2:"), HasSubstr("nowhere"))));
}

TEST(MosquittoConf, AnIncludedFileIncludesNothing) {
  MapFiles files{{{"m.conf", "include_dir d\n"}, {"d/a.conf", "include_dir d\n"}}};
  const auto config = load("m.conf", files, {});
  ASSERT_TRUE(config.has_value());
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("main file only")));
}

// ---- every key ----

struct Effectful {
  std::string text;  // with the key in it
  std::function<bool(const Config&)> is_done;
};

const ListenerConfig& first(const Config& config) { return config.listeners.at(0); }
const broker::ListenerPolicy& policy(const Config& config) { return first(config).policy; }

constexpr const char* kTls = "certfile c.pem\nkeyfile k.pem\n";

// What each key does, shown by a file that has it.
// NOLINTNEXTLINE(readability-function-size): a table
const std::map<std::string, Effectful, std::less<>>& effects() {
  using C = const Config&;
  static const std::map<std::string, Effectful, std::less<>> kEffects{
      {"accept_protocol_versions",
       {"listener 1\naccept_protocol_versions  3 ,5\n",
        [](C c) { return policy(c).accepts_v31 && !policy(c).accepts_v311 && policy(c).accepts_v5; }}},
      {"acl_file",
       {"acl_file /a b\n",
        [](C c) { return first(c).auth.acl_file == "/a b" && c.auth.acl_file == "/a b"; }}},
      {"allow_anonymous", {"allow_anonymous false\n", [](C c) { return !policy(c).allow_anonymous; }}},
      {"allow_zero_length_clientid",
       {"allow_zero_length_clientid false\n", [](C c) { return !policy(c).allow_empty_client_id; }}},
      {"auto_id_prefix", {"auto_id_prefix x-\n", [](C c) { return policy(c).auto_id_prefix == "x-"; }}},
      {"bind_address", {"bind_address 127.0.0.1\n", [](C c) { return first(c).address == "127.0.0.1"; }}},
      {"bind_interface", {"listener 1\nbind_interface lo\n", [](C c) { return first(c).interface == "lo"; }}},
      {"cafile", {std::string(kTls) + "cafile a\n", [](C c) { return first(c).tls.client_ca == "a"; }}},
      {"capath", {std::string(kTls) + "capath a\n", [](C c) { return first(c).tls.client_ca_dir == "a"; }}},
      {"certfile",
       {kTls, [](C c) { return first(c).tls.files.certificate == "c.pem" && first(c).tls.is_on(); }}},
      {"check_retain_source",
       {"check_retain_source false\n", [](C c) { return !c.policy.checks_retained_source; }}},
      {"ciphers", {std::string(kTls) + "ciphers A:B\n", [](C c) { return first(c).tls.ciphers == "A:B"; }}},
      {"ciphers_tls1.3",
       {std::string(kTls) + "ciphers_tls1.3 A\n", [](C c) { return first(c).tls.ciphers_tls13 == "A"; }}},
      {"clientid_prefixes",
       {"clientid_prefixes s-\n", [](C c) { return policy(c).client_id_prefix == "s-"; }}},
      {"connection_messages",
       {"connection_messages false\n", [](C c) { return !c.policy.logs_connections; }}},
      {"crlfile", {std::string(kTls) + "crlfile a\n", [](C c) { return first(c).tls.crl == "a"; }}},
      {"dhparamfile",
       {std::string(kTls) + "dhparamfile a\n", [](C c) { return first(c).tls.dh_params == "a"; }}},
      {"disable_client_cert_date_checks",
       {std::string(kTls) + "disable_client_cert_date_checks true\n",
        [](C c) { return first(c).tls.ignores_client_dates; }}},
      {"enable_proxy_protocol",
       {"listener 1\nenable_proxy_protocol 2\n", [](C c) { return first(c).proxy.is_on; }}},
      {"global_max_clients", {"global_max_clients 9\n", [](C c) { return c.policy.sessions_max == 9; }}},
      {"global_max_connections",
       {"global_max_connections 9\n", [](C c) { return c.policy.connections_max == 9; }}},
      {"keyfile", {kTls, [](C c) { return first(c).tls.files.key == "k.pem"; }}},
      {"listener_allow_anonymous",
       {"listener 1\nlistener_allow_anonymous true\n", [](C c) { return policy(c).allow_anonymous; }}},
      {"listener_auto_id_prefix",
       {"auto_id_prefix a-\nlistener 1\nlistener_auto_id_prefix b-\n",
        [](C c) { return policy(c).auto_id_prefix == "b-"; }}},
      {"log_dest",
       {"log_dest stdout\nlog_dest file /a b\n",
        [](C c) {
          return c.log.destination == "stdout" && c.log.more_destinations == std::vector<std::string>{"/a b"};
        }}},
      {"log_facility", {"log_facility 5\n", [](C c) { return c.log.facility == 5; }}},
      {"log_timestamp", {"log_timestamp false\n", [](C c) { return !c.log.has_time; }}},
      {"log_timestamp_format",
       {"log_timestamp_format %Y %m\n", [](C c) { return c.log.time_format == "%Y %m"; }}},
      {"log_type",
       {"log_type error\nlog_type warning\n", [](C c) { return c.log.level == log::Level::kWarn; }}},
      {"max_connections",
       {"listener 1\nmax_connections 9\n", [](C c) { return policy(c).connections_max == 9; }}},
      {"max_inflight_bytes",
       {"max_inflight_bytes 900\n", [](C c) { return policy(c).inflight_bytes_max == 900; }}},
      {"max_inflight_messages",
       {"max_inflight_messages 9\n",
        [](C c) { return policy(c).inflight_max == 9 && policy(c).receive_maximum == 9; }}},
      {"max_keepalive",
       {"max_keepalive 90\n",
        [](C c) { return policy(c).keep_alive_max_s == 90 && policy(c).refuses_longer_keep_alive; }}},
      {"max_packet_size", {"max_packet_size 20\n", [](C c) { return policy(c).packet_bytes_max == 20; }}},
      {"max_qos", {"max_qos 0\n", [](C c) { return policy(c).maximum_qos == mqtt::Qos::kAtMostOnce; }}},
      {"max_queued_bytes", {"max_queued_bytes 900\n", [](C c) { return policy(c).queue.bytes_max == 900; }}},
      {"max_queued_messages",
       {"max_queued_messages 9\n", [](C c) { return policy(c).queue.messages_max == 9; }}},
      {"max_topic_alias",
       {"listener 1\nmax_topic_alias 3\n", [](C c) { return policy(c).topic_alias_maximum == 3; }}},
      {"max_topic_alias_broker",
       {"listener 1\nmax_topic_alias_broker 3\n",
        [](C c) { return policy(c).topic_alias_maximum_out == 3; }}},
      {"maximum_qos",
       {"maximum_qos 1\n", [](C c) { return policy(c).maximum_qos == mqtt::Qos::kAtLeastOnce; }}},
      {"memory_limit", {"memory_limit 1000\n", [](C c) { return c.warnings.size() == 1; }}},
      {"message_size_limit",
       {"message_size_limit 100\n", [](C c) { return policy(c).payload_bytes_max == 100; }}},
      {"mount_point", {"listener 1\nmount_point m/\n", [](C c) { return policy(c).mount_point == "m/"; }}},
      {"password_file", {"password_file /p\n", [](C c) { return first(c).auth.password_file == "/p"; }}},
      {"per_listener_settings",
       {"per_listener_settings true\nlistener 1\npassword_file /p\nlistener 2\n",
        [](C c) {
          return first(c).auth.password_file == "/p" && c.listeners.at(1).auth.password_file.empty();
        }}},
      {"persistence", {"persistence true\n", [](C c) { return c.node.durability == Durability::kFsync; }}},
      {"persistence_file",
       {"persistence true\npersistence_file x\n", [](C c) { return c.node.data_dir == "x.nightjar"; }}},
      {"persistence_location",
       {"persistence true\npersistence_location /x\n",
        [](C c) { return c.node.data_dir == "/x/mosquitto.db.nightjar"; }}},
      {"persistent_client_expiration",
       {"persistent_client_expiration 2w\n",
        [](C c) { return policy(c).session_expiry_max_s == 14 * 24 * 3600; }}},
      {"pid_file", {"pid_file /p\n", [](C c) { return c.process.pid_file == "/p"; }}},
      {"port", {"port 1900\n", [](C c) { return first(c).port == 1900; }}},
      {"protocol",
       {"listener 1\nprotocol websockets\n", [](C c) { return first(c).protocol == Protocol::kWebSocket; }}},
      {"proxy_protocol_v2_require_tls",
       {"listener 1\nproxy_protocol_v2_require_tls true\n", [](C c) { return first(c).proxy.requires_tls; }}},
      {"psk_file",
       {"psk_file /k\nlistener 1\npsk_hint h\n", [](C c) { return first(c).tls.psk_file == "/k"; }}},
      {"psk_hint",
       {"psk_file /k\nlistener 1\npsk_hint h\n", [](C c) { return first(c).tls.psk_hint == "h"; }}},
      {"queue_qos0_messages",
       {"queue_qos0_messages true\n", [](C c) { return policy(c).queue.queue_qos0_offline; }}},
      {"require_certificate",
       {std::string(kTls) + "cafile a\nrequire_certificate true\n",
        [](C c) { return first(c).tls.client_certificate == ClientCertificate::kRequired; }}},
      {"retain_available", {"retain_available false\n", [](C c) { return !policy(c).retain_available; }}},
      {"set_tcp_nodelay", {"set_tcp_nodelay false\n", [](C c) { return c.warnings.size() == 1; }}},
      {"socket_domain",
       {"listener 1\nsocket_domain ipv6\n", [](C c) { return first(c).ip == IpVersion::k6; }}},
      {"sys_interval",
       {"sys_interval 0\n", [](C c) { return c.policy.sys_interval == Duration::seconds(0); }}},
      {"tls_keyform", {std::string(kTls) + "tls_keyform pem\n", [](C c) { return first(c).tls.is_on(); }}},
      {"tls_version",
       {std::string(kTls) + "tls_version tlsv1.3\n",
        [](C c) { return first(c).tls.min_version == TlsVersion::kTls13; }}},
      {"upgrade_outgoing_qos", {"upgrade_outgoing_qos true\n", [](C c) { return policy(c).upgrades_qos; }}},
      {"use_identity_as_username",
       {std::string(kTls) + "use_identity_as_username true\n",
        [](C c) { return first(c).tls.user_from == CertificateUser::kCommonName; }}},
      {"use_subject_as_username",
       {std::string(kTls) + "use_subject_as_username true\n",
        [](C c) { return first(c).tls.user_from == CertificateUser::kSubject; }}},
      {"use_username_as_clientid",
       {"listener 1\nuse_username_as_clientid true\n", [](C c) { return policy(c).client_id_is_user_name; }}},
      {"user", {"user nobody\n", [](C c) { return c.process.user == "nobody"; }}},
      {"websockets_headers_size",
       {"websockets_headers_size 4096\n", [](C c) { return first(c).websocket.headers_bytes_max == 4096; }}},
      {"websockets_origin",
       {"listener 1\nwebsockets_origin a\nwebsockets_origin b\n",
        [](C c) {
          return first(c).websocket.origins == std::vector<std::string>{"a", "b"};
        }}},
  };
  return kEffects;
}

TEST(MosquittoKeys, AreInAlphabeticalOrder) {
  const auto all = keys();
  EXPECT_TRUE(
      std::is_sorted(all.begin(), all.end(), [](const Key& a, const Key& b) { return a.name < b.name; }));
}

TEST(MosquittoKeys, EachDoesWhatItSays) {
  for (const Key& key : keys()) {
    if (key.scope == Scope::kBridge || !key.note.empty() || key.name == "tls_engine") continue;
    const auto found = effects().find(key.name);
    ASSERT_NE(found, effects().end()) << key.name << " has no example";
    const auto config = read(found->second.text);
    ASSERT_TRUE(config.has_value()) << key.name << ": " << config.error().front();
    EXPECT_TRUE(found->second.is_done(*config)) << key.name;
  }
}

// A file that has `key` with `value`, where it may stand.
std::string with(const Key& key, std::string_view value) {
  std::string text;
  if (key.scope == Scope::kListener || key.scope == Scope::kNamedListener) text = "listener 1\n";
  if (key.scope == Scope::kBridge) text = "connection a\naddress h\n";
  return text + std::string{key.name} + " " + std::string{value} + "\n";
}

TEST(MosquittoKeys, WithoutMeaningTheyAreAcceptedWithOneLine) {
  for (const Key& key : keys()) {
    if (key.note.empty()) continue;
    const Config config = good(with(key, key.kind == ValueKind::kFlag ? "true" : "7"));
    EXPECT_THAT(config.warnings,
                ElementsAre(AllOf(HasSubstr(std::string{key.name}), HasSubstr(std::string{key.note}))));
  }
}

TEST(MosquittoKeys, NoneTakesNothing) {
  for (const Key& key : keys()) {
    EXPECT_THAT(problems(with(key, ""), {.is_without_bridges = true}), Contains(HasSubstr("needs a value")))
        << key.name;
  }
}

TEST(MosquittoKeys, FlagsAreTrueOrFalse) {
  for (const Key& key : keys()) {
    if (key.kind != ValueKind::kFlag) continue;
    EXPECT_THAT(problems(with(key, "yes"), {.is_without_bridges = true}),
                ElementsAre(HasSubstr("must be true or false, not \"yes\"")))
        << key.name;
  }
}

TEST(MosquittoKeys, NumbersAreNumbersInTheirRange) {
  for (const Key& key : keys()) {
    if (key.kind != ValueKind::kNumber) continue;
    EXPECT_THAT(problems(with(key, "7x"), {.is_without_bridges = true}),
                ElementsAre(HasSubstr("must be a whole number")))
        << key.name;
    const bool is_open = key.max == std::numeric_limits<std::int64_t>::max();
    const std::string beyond = std::to_string(is_open ? key.min - 1 : key.max + 1);
    EXPECT_THAT(problems(with(key, beyond), {.is_without_bridges = true}), ElementsAre(HasSubstr("must be ")))
        << key.name;
  }
}

TEST(MosquittoKeys, ATextStandsOnce) {
  EXPECT_THAT(problems("pid_file a\npid_file b\n"), ElementsAre("m.conf:2: \"pid_file\" stands twice"));
  EXPECT_THAT(problems("listener 1\nmount_point a/\nlistener 2\nmount_point b/\n"), ElementsAre("no problem"))
      << "each listener has its own";
  EXPECT_THAT(problems("allow_anonymous true\nallow_anonymous false\n"), ElementsAre("no problem"))
      << "the last one counts";
}

TEST(MosquittoKeys, OfAnotherSectionNeedThatSection) {
  for (const Key& key : keys()) {
    const std::string line = std::string{key.name} + " 1\n";
    if (key.scope == Scope::kBridge) {
      EXPECT_THAT(problems(line), ElementsAre(HasSubstr("needs a \"connection\" above it"))) << key.name;
    }
    if (key.scope == Scope::kNamedListener) {
      EXPECT_THAT(problems(line), ElementsAre(HasSubstr("needs a \"listener\" above it"))) << key.name;
    }
  }
}

TEST(MosquittoKeys, WordsThatAreNotKnownAreNamed) {
  EXPECT_THAT(
      problems("allow_anonymos true\n# x\n # y\n"),
      ElementsAre(
          "m.conf:1: unknown configuration variable \"allow_anonymos\"; did you mean \"allow_anonymous\"?",
          HasSubstr("a comment begins at the very start of its line")));
  for (const std::string line :
       {"protocol http", "log_type some", "log_dest somewhere", "log_dest file", "socket_domain ipv5",
        "tls_version tlsv1.9", "persistent_client_expiration 3x", "persistent_client_expiration h",
        "enable_proxy_protocol 3", "tls_keyform engine", "tls_engine pkcs11",
        "listener 1\naccept_protocol_versions 4,6", "listener 1\nmount_point a/#"}) {
    EXPECT_THAT(problems(line), ElementsAre(HasSubstr("m.conf:"))) << line;
  }
}

// ---- listeners ----

TEST(MosquittoListener, IsAPortAnAddressOrASocket) {
  const Config config = good("listener 1\nlistener 2 ::1\nlistener 0 /run/m.sock\n");
  EXPECT_EQ(config.listeners.at(0).address, "*");
  EXPECT_EQ(config.listeners.at(1).address, "::1");
  EXPECT_EQ(config.listeners.at(2).unix_path, "/run/m.sock");
  for (const std::string value : {"", "x", "0", "-1", "65536", "1883 /run/m.sock"}) {
    EXPECT_THAT(problems("listener " + value), ElementsAre(HasSubstr("m.conf:1: \"listener\""))) << value;
  }
}

TEST(MosquittoListener, OfTheHttpApiIsLeftOut) {
  const Config config = good("listener 1\nprotocol http_api\nlistener 2\n");
  ASSERT_THAT(config.listeners, SizeIs(1));
  EXPECT_EQ(config.listeners[0].port, 2);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("http_api")));
}

TEST(MosquittoListener, IsNeverOpenWhereTlsWasMeant) {
  EXPECT_THAT(problems("listener 1\ncertfile a\n"), ElementsAre(HasSubstr("a certfile and no keyfile")));
  EXPECT_THAT(problems("listener 1\nkeyfile a\n"), ElementsAre(HasSubstr("a keyfile and no certfile")));
  EXPECT_THAT(problems("listener 1\ncafile a\n"), ElementsAre(HasSubstr("keys of TLS")));
  EXPECT_THAT(problems("listener 1\nrequire_certificate true\n"), ElementsAre(HasSubstr("keys of TLS")));
  EXPECT_THAT(problems("listener 1\npsk_hint a\n"), ElementsAre(HasSubstr("needs a psk_file")));
}

TEST(MosquittoListener, BehindAProxyAsksTheProxyForTheCertificate) {
  const Config proxied =
      good("listener 1\nenable_proxy_protocol 2\nrequire_certificate true\nuse_identity_as_username true\n");
  EXPECT_EQ(first(proxied).tls.client_certificate, ClientCertificate::kRequired);
  EXPECT_EQ(first(proxied).tls.user_from, CertificateUser::kCommonName);
}

TEST(MosquittoListener, WithoutTlsTakesNoNameFromCertificates) {
  const Config plain = good("listener 1\nuse_identity_as_username true\n");
  EXPECT_EQ(first(plain).tls.user_from, CertificateUser::kNone);
}

// ---- bridges ----

constexpr const char* kBridge =
    "connection up\naddress a.example:1884 b.example\ntopic # out 1 local/ remote/\ntopic x\n"
    "remote_username u\nremote_password p\ncleansession true\nbridge_cafile ca\n";

TEST(MosquittoBridge, EndsTheStartUnlessItMayBeLeftOut) {
  EXPECT_THAT(problems(kBridge), ElementsAre(AllOf(HasSubstr("m.conf:1:"), HasSubstr("--without-bridges"))));
  EXPECT_THAT(good(kBridge, {.is_without_bridges = true}).warnings, ElementsAre(HasSubstr("is left out")));
}

TEST(MosquittoBridge, AddressesAreHostsWithPorts) {
  const auto addresses = read_bridge_addresses("a:1 b [::1]:3");
  ASSERT_TRUE(addresses.has_value());
  ASSERT_THAT(*addresses, SizeIs(3));
  EXPECT_EQ((*addresses)[0].port, 1);
  EXPECT_EQ((*addresses)[1].port, 1883);
  EXPECT_EQ((*addresses)[2].host, "[::1]");
  for (const std::string_view wrong : {"a:x", "a:0", "a:70000", ":1"}) {
    EXPECT_FALSE(read_bridge_addresses(wrong).has_value()) << wrong;
  }
}

TEST(MosquittoBridge, TopicsHaveDirectionQosAndPrefixes) {
  const auto topic = read_bridge_topic("a/# both 2 l/ r/");
  ASSERT_TRUE(topic.has_value());
  EXPECT_EQ(topic->direction, BridgeDirection::kBoth);
  EXPECT_EQ(topic->qos, mqtt::Qos::kExactlyOnce);
  EXPECT_EQ(topic->local_prefix, "l/");
  EXPECT_EQ(topic->remote_prefix, "r/");
  EXPECT_EQ(read_bridge_topic(R"(a in 0 "" r/)")->local_prefix, "");
  EXPECT_EQ(read_bridge_topic(R"("" out 0 l r)")->pattern, "");
  for (const std::string_view wrong : {"a up", "a in 3", "\"\"", "\"\" in 0 l \"\"", "a in 0 l/# r", "a#"}) {
    EXPECT_FALSE(read_bridge_topic(wrong).has_value()) << wrong;
  }
}

TEST(MosquittoBridge, MistakesAreFoundToo) {
  EXPECT_THAT(problems("connection a\n"), ElementsAre(HasSubstr("has no address")));
  EXPECT_THAT(problems("connection a\naddress h:x\n"),
              ElementsAre(HasSubstr("m.conf:2: \"address\": a port is")));
  EXPECT_THAT(problems("connection a\naddress h\ntopic a sideways\n"),
              ElementsAre(HasSubstr("m.conf:3: \"topic\"")));
  const Options without{.is_without_bridges = true};
  for (const std::string wrong :
       {"start_type manual", "bridge_protocol_version mqttv5", "restart_timeout x", "restart_timeout 1 2 3",
        "bridge_reload_type never", "bridge_tcp_keepalive 1 2"}) {
    EXPECT_THAT(problems("connection a\naddress h\n" + wrong + "\n", without),
                ElementsAre(HasSubstr("m.conf:3: \"")))
        << wrong;
  }
  EXPECT_THAT(problems("connection a\naddress h\nconnection a\naddress h\n"),
              ElementsAre(HasSubstr("there is a connection \"a\" already")));
}

// ---- where it stands ----

TEST(MosquittoOrigins, NameKeysThatAreThere) {
  Config config;
  config.listeners.emplace_back().label = "listener.x";
  std::set<std::string> known;
  for (const Setting& each : settings(config)) known.insert(each.key);
  for (const Key& key : keys()) {
    for (const Origin& origin : origins_of(key.name)) {
      const std::string native = (origin.is_of_listener ? "listener.x." : "") + std::string{origin.native};
      EXPECT_TRUE(known.contains(native)) << key.name << " sets " << native;
    }
  }
}

TEST(MosquittoOrigins, AreTheLinesOfTheFile) {
  const Config config = good(
      "max_queued_messages 5\nlistener 1\nallow_anonymous true\ncertfile c\nkeyfile k\nmax_connections 3\n"
      "listener 2\nmax_connections 4\n");
  std::map<std::string, std::string> origins;
  for (const Setting& each : settings(config)) origins[each.key] = each.origin;
  EXPECT_EQ(origins["queue.max_messages"], "m.conf:1");
  EXPECT_EQ(origins["listener.1.allow_anonymous"], "m.conf:3");
  EXPECT_EQ(origins["listener.2.allow_anonymous"], "m.conf:3") << "of all listeners";
  EXPECT_EQ(origins["listener.1.tls.certificate"], "m.conf:4");
  EXPECT_EQ(origins["listener.1.max_connections"], "m.conf:6");
  EXPECT_EQ(origins["listener.2.max_connections"], "m.conf:8");
  EXPECT_EQ(origins["listener.2.tls.certificate"], "default");
}

// ---- plugins ----

TEST(MosquittoPlugin, OfFilesIsBuiltIn) {
  const Config config = good(
      "listener 1\nplugin /usr/lib/mosquitto_password_file.so\nplugin_opt_password_file /p\n"
      "plugin /usr/lib/mosquitto_acl_file.so\nplugin_opt_acl_file /a\n");
  EXPECT_EQ(first(config).auth.password_file, "/p");
  EXPECT_EQ(first(config).auth.acl_file, "/a");
}

TEST(MosquittoPlugin, IsUsedByTheListenersThatSaySo) {
  const Config config = good(
      "per_listener_settings true\nplugin_load acl /usr/lib/mosquitto_acl_file.so\nplugin_opt_acl_file /a\n"
      "listener 1\nplugin_use acl\nlistener 2\n");
  EXPECT_EQ(first(config).auth.acl_file, "/a");
  EXPECT_EQ(config.listeners.at(1).auth.acl_file, "");
}

TEST(MosquittoPlugin, OfDynamicSecurityIsBuiltIn) {
  const Config config = good(
      "listener 1\nplugin /usr/lib/mosquitto_dynamic_security.so\nplugin_opt_config_file /d.json\n"
      "password_file /p\n");
  EXPECT_EQ(first(config).auth.dynamic_security, "/d.json");
  EXPECT_EQ(first(config).auth.password_file, "");
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("/p is not read")));
  EXPECT_THAT(
      problems("plugin mosquitto_dynamic_security.so\n"),
      ElementsAre(HasSubstr("m.conf:1: the plugin mosquitto_dynamic_security.so needs \"plugin_opt_config")));
}

TEST(MosquittoPlugin, OfOthersIsNotLoadedAndLetsNobodyInByHisName) {
  const Config config = good("listener 1\nauth_plugin go-auth.so\nauth_opt_backends files\n");
  EXPECT_THAT(config.errors,
              ElementsAre(AllOf(HasSubstr("m.conf:2:"), HasSubstr("go-auth.so is not loaded"))));
  EXPECT_TRUE(first(config).auth.refuses_unproved_names);
  const Config other = good("listener 1\nglobal_plugin /usr/lib/mosquitto_persist_sqlite.so\n");
  EXPECT_THAT(other.errors, ElementsAre(HasSubstr("is not loaded")));
  EXPECT_FALSE(first(other).auth.refuses_unproved_names);
}

TEST(MosquittoPlugin, NamesTheLineOfWhatIsWrong) {
  EXPECT_THAT(problems("plugin_opt_x 1\n"), ElementsAre(HasSubstr("needs a plugin above it")));
  EXPECT_THAT(problems("plugin a.so\nplugin_opt_ 1\nplugin_opt_x\n"),
              ElementsAre(HasSubstr("needs the name"), HasSubstr("needs a value")));
  EXPECT_THAT(problems("plugin_use x\n"), ElementsAre(HasSubstr("there is no \"plugin_load x PATH\"")));
}

}  // namespace
}  // namespace nightjar::config::mosquitto
