#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/schema.h"
#include "config/suggest.h"
#include "config/units.h"

namespace nightjar::config {
namespace {

using broker::OverflowPolicy;
using broker::SharedStrategy;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string source_dir() { return std::filesystem::path(__FILE__).parent_path().string(); }

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The problems of `text`, or a line that says there are none.
Problems problems(std::string_view text) {
  const auto loaded = load_text(text, "nightjar.toml");
  return loaded ? Problems{"no problem"} : loaded.error();
}

// ---- what is right ----

TEST(Load, RemembersWhereEachValueStands) {
  const auto config =
      load_text("[log]\n  destination = \"x\"\n[[listener]]\nname = \"plain\"\n", "nightjar.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(said_at(*config, "log", "destination"), "nightjar.toml:2:17: \"destination\" in [log]: ");
  EXPECT_EQ(said_at(*config, "listener.plain", "port"), "nightjar.toml:3:1: [listener.plain]: ");
  EXPECT_EQ(said_at(*config, "node", "data"), "") << "nobody says it";
}

TEST(Load, AnEmptyFileGivesTheDefaults) {
  const auto config = load_text("", "nightjar.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_TRUE(config->listeners.empty());
  EXPECT_EQ(config->node.workers, 0);
  EXPECT_EQ(config->limits.packet_bytes_max, broker::ListenerPolicy{}.packet_bytes_max);
}

TEST(Load, SaysSoWhereTomlPlusPlusAsserts) {
  EXPECT_THAT(problems("[[=]]"), ElementsAre(HasSubstr("nightjar.toml: this is no TOML")));
}

TEST(Load, EveryKeyReachesItsField) {
  const auto config = load_file(source_dir() + "/testdata/full.toml");
  ASSERT_TRUE(config.has_value()) << config.error().front();
  EXPECT_EQ(config->node.data_dir, "/var/lib/nightjar");
  EXPECT_EQ(config->node.durability, Durability::kOs);
  EXPECT_EQ(config->node.workers, 4);
  EXPECT_EQ(config->policy.placement, broker::Placement::kSpread);
  EXPECT_EQ(config->policy.shards, 128);
  EXPECT_EQ(config->process.pid_file, "/run/nightjar.pid");
  EXPECT_EQ(config->process.user, "nightjar");
  EXPECT_EQ(config->policy.connections_max, 5000u);
  EXPECT_EQ(config->policy.sessions_max, 6000u);
  EXPECT_FALSE(config->policy.logs_connections);
  EXPECT_TRUE(config->policy.checks_retained_source);
  EXPECT_FALSE(config->log.has_time);
  EXPECT_EQ(config->log.time_format, "%s");
  EXPECT_EQ(config->policy.retained_messages_max, 1000u);
  EXPECT_EQ(config->policy.retained_bytes_max, 64u << 20);
  EXPECT_EQ(config->policy.strangers_bytes_max, 1u << 20);
  EXPECT_EQ(config->policy.unfinished_bytes_max, 1u << 30);
  EXPECT_EQ(config->policy.shared_strategy, SharedStrategy::kSticky);
  EXPECT_EQ(config->policy.shared_queue.messages_max, 77u);
  EXPECT_EQ(config->policy.sys_interval, Duration::seconds(60));
  EXPECT_EQ(config->auth.password_file, "/etc/nightjar/passwords");
  EXPECT_EQ(config->auth.acl_file, "/etc/nightjar/rules.toml");
  EXPECT_EQ(config->log.level, log::Level::kWarn);
  EXPECT_EQ(config->log.format, LogFormat::kJson);
  EXPECT_EQ(config->log.destination, "stdout");

  const broker::ListenerPolicy& limits = config->limits;
  EXPECT_EQ(limits.connect_timeout, Duration::seconds(2));
  EXPECT_EQ(limits.connect_bytes_max, 16u * 1024);
  EXPECT_EQ(limits.packet_bytes_max, 1u << 20);
  EXPECT_EQ(limits.packet_bytes_max_out, 4u * 1024);
  EXPECT_EQ(limits.receive_maximum, 20);
  EXPECT_EQ(limits.inflight_max, 30);
  EXPECT_EQ(limits.inflight_bytes_max, 128u * 1024);
  EXPECT_EQ(limits.topic_alias_maximum, 5);
  EXPECT_EQ(limits.topic_alias_maximum_out, 6);
  EXPECT_EQ(limits.keep_alive_max_s, 600);
  EXPECT_EQ(limits.session_expiry_max_s, 0xFFFFFFFF);
  EXPECT_EQ(limits.output_bytes_max, 1'000'000u);
  EXPECT_EQ(limits.outstanding_bytes_max, 16u * 1024);
  EXPECT_EQ(limits.maximum_qos, mqtt::Qos::kAtLeastOnce);
  EXPECT_FALSE(limits.retain_available);
  EXPECT_FALSE(limits.wildcard_subscription_available);
  EXPECT_FALSE(limits.subscription_identifier_available);
  EXPECT_FALSE(limits.shared_subscription_available);
  EXPECT_EQ(limits.topic_levels_max, 12);
  EXPECT_EQ(limits.subscriptions_max, 100u);
  EXPECT_EQ(limits.payload_bytes_max, 512u * 1024);
  EXPECT_EQ(limits.connections_max, 50u);
  EXPECT_EQ(limits.mount_point, "plant/");
  EXPECT_FALSE(limits.accepts_v31 || limits.accepts_v311 || limits.accepts_v5);
  EXPECT_EQ(limits.client_id_prefix, "plant-");
  EXPECT_TRUE(limits.client_id_is_user_name);
  EXPECT_FALSE(limits.allow_empty_client_id);
  EXPECT_EQ(limits.auto_id_prefix, "guest-");
  EXPECT_TRUE(limits.refuses_longer_keep_alive);
  EXPECT_TRUE(limits.upgrades_qos);
  EXPECT_EQ(limits.queue.messages_max, 500u);
  EXPECT_EQ(limits.queue.bytes_max, 2u << 20);
  EXPECT_EQ(limits.queue.age_max, Duration::seconds(86400));
  EXPECT_EQ(limits.queue.overflow, OverflowPolicy::kConflate);
  EXPECT_TRUE(limits.queue.queue_qos0_offline);
  EXPECT_TRUE(limits.queue.counts_payload_only);
}

TEST(Load, TheSampleNamesEveryKeyOfTheSchema) {
  const std::string sample = read(source_dir() + "/testdata/full.toml");
  Config config;
  for (const Section& section : sections_of(config)) {
    for (const Slot& slot : section.slots) EXPECT_THAT(sample, HasSubstr(std::string(slot.name) + " = "));
  }
}

TEST(Load, AListenerStartsFromTheLimitsAndSetsItsOwn) {
  const auto config = load_file(source_dir() + "/testdata/full.toml");
  ASSERT_TRUE(config.has_value());
  ASSERT_EQ(config->listeners.size(), 3u);
  const ListenerConfig& plain = config->listeners[0];
  EXPECT_EQ(plain.policy.name, "plain");
  EXPECT_EQ(plain.address, "127.0.0.1");
  EXPECT_EQ(plain.port, 1884);
  EXPECT_EQ(plain.ip, IpVersion::k4);
  EXPECT_EQ(config->listeners[1].interface, "lo");
  EXPECT_TRUE(plain.policy.allow_anonymous);
  EXPECT_EQ(plain.policy.packet_bytes_max, 2u << 20) << "its own";
  EXPECT_EQ(plain.policy.receive_maximum, 20) << "from [limits]";
  EXPECT_EQ(plain.policy.queue.overflow, OverflowPolicy::kDropOld) << "its own";
  EXPECT_EQ(plain.auth.acl_file, "/etc/nightjar/plain.acl") << "its own";
  EXPECT_EQ(plain.auth.password_file, "/etc/nightjar/passwords") << "from [auth]";
  EXPECT_EQ(plain.policy.queue.messages_max, 500u) << "from [queue]";
}

TEST(Load, AListenerSaysHowItIsReached) {
  const auto config = load_file(source_dir() + "/testdata/full.toml");
  ASSERT_TRUE(config.has_value());
  const ListenerConfig& automatic = config->listeners.at(0);
  EXPECT_EQ(automatic.protocol, Protocol::kAuto);
  EXPECT_THAT(automatic.websocket.origins, ElementsAre("https://plant.example", "http://localhost:8080"));
  EXPECT_EQ(automatic.websocket.headers_bytes_max, 8u * 1024);
  EXPECT_TRUE(automatic.proxy.is_on);
  EXPECT_THAT(automatic.proxy.trusted, ElementsAre("10.0.0.0/8", "fd00::/8"));
  EXPECT_TRUE(automatic.proxy.requires_tls);
  const ListenerConfig& usual = config->listeners.at(1);
  EXPECT_EQ(usual.protocol, Protocol::kMqtt);
  EXPECT_TRUE(usual.websocket.origins.empty());
  EXPECT_FALSE(usual.proxy.is_on);
  const ListenerConfig& local = config->listeners.at(2);
  EXPECT_EQ(local.unix_path, "/run/nightjar.sock");
  EXPECT_EQ(local.unix_mode, 0666u);
  EXPECT_EQ(local.policy.name, "/run/nightjar.sock");
}

TEST(Load, AUnixSocketHasNoAddressAndPortAndOnlyItHasAMode) {
  EXPECT_THAT(
      problems("[[listener]]\npath = \"/run/x\"\nport = 1883\n"),
      ElementsAre("nightjar.toml:3:8: \"port\" in [listener.1] has no meaning beside \"path\"; take out "
                  "one of them"));
  EXPECT_THAT(problems("[[listener]]\npath = \"/run/x\"\naddress = \"*\"\n"),
              ElementsAre(HasSubstr("\"address\" in [listener.1] has no meaning")));
  EXPECT_THAT(problems("[[listener]]\npath_mode = \"0600\"\n"),
              ElementsAre(HasSubstr("\"path_mode\" in [listener.1] needs \"path\"")));
}

TEST(Load, AModeIsOctal) {
  EXPECT_THAT(problems("[[listener]]\npath = \"/run/x\"\npath_mode = \"660\"\n"), ElementsAre("no problem"));
  for (const char* wrong : {"\"0690\"", "\"66\"", "\"1777\"", "\"rw-\"", "660", "true"}) {
    EXPECT_THAT(problems(std::string("[[listener]]\npath = \"/run/x\"\npath_mode = ") + wrong + "\n"),
                ElementsAre(HasSubstr("must be permissions in octal digits, such as \"0660\"")))
        << wrong;
  }
}

TEST(Load, AListHoldsStringsOnly) {
  EXPECT_THAT(
      problems("[[listener]]\n[listener.websocket]\norigins = [\"http://a\", 3]\n"),
      ElementsAre("nightjar.toml:3:11: \"origins\" in [listener.1.websocket] must be an array of strings, "
                  "not an array"));
  EXPECT_THAT(problems("[[listener]]\n[listener.proxy]\ntrusted = \"10.0.0.0/8\"\n"),
              ElementsAre(HasSubstr("must be an array of strings, not the string")));
  EXPECT_THAT(problems("[[listener]]\n[listener.proxy]\nenabled = 1\nrequire_tls = 1\n"),
              ElementsAre(HasSubstr("\"enabled\""), HasSubstr("\"require_tls\"")));
  EXPECT_THAT(problems("[[listener]]\nprotocol = \"tcp\"\n[listener.websocket]\nmax_headers = \"1MiB\"\n"),
              ElementsAre(HasSubstr("one of \"mqtt\", \"websocket\", \"auto\""),
                          HasSubstr("a size from 1KiB to 64KiB")));
}

TEST(Load, AListenerIsClosedToAnonymousClientsAndNamedByItsAddress) {
  const auto config = load_text("[[listener]]\nport = 1885\n", "nightjar.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_FALSE(config->listeners.at(0).policy.allow_anonymous);
  EXPECT_EQ(config->listeners.at(0).policy.name, "*:1885");
}

TEST(Load, LimitsApplyToListenersAboveThem) {
  const auto config = load_text("[[listener]]\n[limits]\nmaximum_qos = 0\n", "nightjar.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->listeners.at(0).policy.maximum_qos, mqtt::Qos::kAtMostOnce);
}

// ---- what is wrong ----

TEST(Load, APaceIsAtLeastWhatTheKernelSendsAtATime) {
  EXPECT_THAT(
      problems("[limits]\nmax_outstanding_bytes = 4095\n"),
      ElementsAre(HasSubstr(
          "nightjar.toml:2:25: \"max_outstanding_bytes\" in [limits] must be 0 or from 4KiB, not 4095")));
  EXPECT_THAT(problems("[[listener]]\nmax_outstanding_bytes = 1\n"),
              ElementsAre(HasSubstr("[listener.1] must be 0 or")));
  EXPECT_THAT(problems("[limits]\nmax_outstanding_bytes = 4096\n[[listener]]\nmax_outstanding_bytes = 0\n"),
              ElementsAre("no problem"));
}

TEST(Load, AMountPointIsNoFilter) {
  EXPECT_THAT(problems("[limits]\nmount_point = \"a/#\"\n"), ElementsAre(HasSubstr("\"mount_point\"")));
  EXPECT_THAT(
      problems("[[listener]]\nmount_point = \"a/+/\"\n"),
      ElementsAre(HasSubstr("nightjar.toml:2:15: \"mount_point\" in [listener.1] must not contain + or #")));
}

TEST(Load, AnOriginIsWhatABrowserSends) {
  const auto with = [](const std::string& origin) {
    return problems("[[listener]]\n[listener.websocket]\norigins = [\"" + origin + "\"]\n");
  };
  for (const char* right : {"https://plant.example", "http://localhost:8080", "http://[::1]:80", "null"}) {
    EXPECT_THAT(with(right), ElementsAre("no problem")) << right;
  }
  for (const char* wrong : {"", "plant.example", "https://", "://x", "https://plant.example/",
                            "https://*.example", "https://a b", "https://ann@plant.example"}) {
    EXPECT_THAT(with(wrong),
                ElementsAre(AllOf(HasSubstr("nightjar.toml:3:11: \"origins\" in [listener.1.websocket]"),
                                  HasSubstr("write it without a path"))))
        << wrong;
  }
}

TEST(Load, AGroupsQueueHasNoKeysAboutOneClient) {
  EXPECT_THAT(problems("[shared.queue]\noverflow = \"conflate\"\n"),
              ElementsAre(HasSubstr("must be one of \"drop-new\", \"drop-old\", \"reject\", not")));
  EXPECT_THAT(problems("[shared.queue]\nqueue_qos0_offline = true\n"),
              ElementsAre(HasSubstr("unknown key \"queue_qos0_offline\" in [shared.queue]")));
}

TEST(Load, AnUnknownKeyGetsPlaceAndSuggestion) {
  EXPECT_THAT(
      problems("[[listener]]\nname = \"plain\"\n  max_packet_sze = \"1MiB\"\n"),
      ElementsAre("nightjar.toml:3:3: unknown key \"max_packet_sze\" in [listener.plain]; did you mean "
                  "\"max_packet_size\"?"));
}

TEST(Load, AnUnknownKeyLikeNoOtherGetsNoSuggestion) {
  EXPECT_THAT(problems("[log]\ncolour_of_paper = 1\n"),
              ElementsAre("nightjar.toml:2:1: unknown key \"colour_of_paper\" in [log]"));
}

TEST(Load, AKeyOfAnotherSectionIsSentThere) {
  EXPECT_THAT(problems("[node]\nmax_packet_size = 5000\n"),
              ElementsAre(HasSubstr("; it belongs in [limits]")));
  EXPECT_THAT(
      problems("max_packet_size = 5000\n"),
      ElementsAre("nightjar.toml:1:1: key \"max_packet_size\" stands outside a section; it belongs in "
                  "[limits]"));
}

TEST(Load, AnUnknownSectionGetsASuggestion) {
  EXPECT_THAT(problems("[limit]\n"),
              ElementsAre(AllOf(HasSubstr("nightjar.toml:1:"), HasSubstr("did you mean [limits]?"))));
}

TEST(Load, AnUnknownKeyInANestedTableIsNamedWithIt) {
  EXPECT_THAT(problems("[shared.queue]\nmax_mesages = 5\n"),
              ElementsAre(AllOf(HasSubstr("in [shared.queue]"), HasSubstr("\"max_messages\""))));
}

TEST(Load, AWrongTypeSaysWhatIsThereAndWhatShouldBe) {
  EXPECT_THAT(
      problems("[[listener]]\nname = \"plain\"\nport = \"mqtt\"\n"),
      ElementsAre("nightjar.toml:3:8: \"port\" in [listener.plain] must be a number from 1 to 65535, not the "
                  "string \"mqtt\""));
  EXPECT_THAT(
      problems("[log]\nlevel = 3\n"),
      ElementsAre("nightjar.toml:2:9: \"level\" in [log] must be one of \"debug\", \"info\", \"warn\", "
                  "\"error\", not 3"));
  EXPECT_THAT(problems("[limits]\nretain_available = \"yes\"\n"),
              ElementsAre(HasSubstr("must be true or false")));
  EXPECT_THAT(problems("[node]\ndata = 7\n"), ElementsAre(HasSubstr("must be a string, not 7")));
  EXPECT_THAT(problems("[limits]\nmaximum_qos = 1.5\n"), ElementsAre(HasSubstr("not 1.5")));
  EXPECT_THAT(problems("[limits]\nmaximum_qos = true\n"), ElementsAre(HasSubstr("not true")));
  EXPECT_THAT(problems("[limits]\nmaximum_qos = [1]\n"), ElementsAre(HasSubstr("not an array")));
  EXPECT_THAT(problems("[limits]\nmaximum_qos = {}\n"), ElementsAre(HasSubstr("not a table")));
  EXPECT_THAT(problems("[limits]\nmaximum_qos = 2020-01-01\n"), ElementsAre(HasSubstr("not a date or time")));
}

TEST(Load, AValueOutOfRangeIsRefused) {
  EXPECT_THAT(problems("[limits]\nmaximum_qos = 3\n"), ElementsAre(HasSubstr("a number from 0 to 2, not 3")));
  EXPECT_THAT(problems("[limits]\nmax_packet_size = \"1TiB\"\n"),
              ElementsAre(HasSubstr("a size from 1KiB to")));
  EXPECT_THAT(problems("[[listener]]\nport = 70000\n"), ElementsAre(HasSubstr("1 to 65535, not 70000")));
}

TEST(Load, ADurationNeedsAUnit) {
  EXPECT_THAT(problems("[limits]\nconnect_timeout = 5\n"),
              ElementsAre(HasSubstr("must be a duration from 100ms to 5m, not 5")));
  EXPECT_THAT(problems("[limits]\nmax_keep_alive = \"1500ms\"\n"),
              ElementsAre(HasSubstr("in whole seconds")));
  EXPECT_THAT(problems("[limits]\nconnect_timeout = \"never\"\n"),
              ElementsAre(HasSubstr("not the string \"never\"")));
  EXPECT_THAT(problems("[sys]\ninterval = 0\n"), ElementsAre("no problem"));
}

TEST(Load, AWordThatIsNoChoiceListsTheChoices) {
  EXPECT_THAT(
      problems("[queue]\noverflow = \"drop_old\"\n"),
      ElementsAre(HasSubstr("one of \"drop-new\", \"drop-old\", \"reject\", \"disconnect\", \"conflate\"")));
}

TEST(Load, ListenersAreAList) {
  EXPECT_THAT(problems("[listener]\nport = 1883\n"),
              ElementsAre(HasSubstr("write [[listener]] with two brackets")));
  EXPECT_THAT(problems("log = 3\n"), ElementsAre(HasSubstr("\"log\" must be a table: write [log]")));
}

TEST(Load, TwoListenersOfOneNameAreRefused) {
  EXPECT_THAT(problems("[[listener]]\nname = \"a\"\n[[listener]]\nname = \"a\"\n"),
              ElementsAre("nightjar.toml:3:1: there is a listener \"a\" already"));
}

TEST(Load, ShardsFitTogetherWithWorkers) {
  EXPECT_THAT(problems("[node]\nshards = 48\n"),
              ElementsAre("nightjar.toml:2:10: \"shards\" in [node] must be a power of two, not 48"));
  EXPECT_THAT(problems("[node]\nshards = 2\nworkers = 4\n"),
              ElementsAre(HasSubstr("2 shards cannot occupy 4 workers")));
}

TEST(Load, ASyntaxErrorGetsItsPlace) {
  EXPECT_THAT(problems("[log]\nlevel = \n"), ElementsAre(HasSubstr("nightjar.toml:2:")));
}

TEST(Load, AllProblemsAreToldInTheOrderOfTheFile) {
  EXPECT_THAT(problems("[[listener]]\nport = 0\n[log]\nlevle = \"info\"\n[node]\nworkers = 100\n"),
              ElementsAre(HasSubstr(":2:8:"), HasSubstr(":4:1:"), HasSubstr(":6:11:")));
  EXPECT_THAT(problems("[[listener]]\nport = 0\nmount_point = \"#\"\n"),
              ElementsAre(HasSubstr(":2:8:"), HasSubstr(":3:15:")));
}

TEST(Load, AFileThatIsNotThereIsNamed) {
  const auto config = load_file("/nowhere/nightjar.toml");
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error(), ElementsAre("cannot read /nowhere/nightjar.toml: No such file or directory"));
}

TEST(Load, ADirectoryIsNoFile) {
  const auto config = load_file(source_dir());
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error().front(), HasSubstr("it is no file"));
}

// ---- units and suggestions ----

TEST(Units, SizesAreRead) {
  EXPECT_EQ(parse_size("0"), 0);
  EXPECT_EQ(parse_size("512"), 512);
  EXPECT_EQ(parse_size("16MiB"), 16 << 20);
  EXPECT_EQ(parse_size("16 MiB"), 16 << 20);
  EXPECT_EQ(parse_size("2kB"), 2000);
  EXPECT_EQ(parse_size("3B"), 3);
  EXPECT_EQ(parse_size("9999999TiB"), std::nullopt) << "more than 64 bits";
  for (const char* wrong : {"", "MiB", "-1", "1.5MiB", "1 mib", "1MiB ", "1  MiB"}) {
    EXPECT_EQ(parse_size(wrong), std::nullopt) << wrong;
  }
}

TEST(Units, DurationsAreRead) {
  EXPECT_EQ(parse_duration("0"), 0);
  EXPECT_EQ(parse_duration("250ms"), 250);
  EXPECT_EQ(parse_duration("5s"), 5000);
  EXPECT_EQ(parse_duration("2m"), 120'000);
  EXPECT_EQ(parse_duration("1h"), 3'600'000);
  EXPECT_EQ(parse_duration("7d"), 604'800'000);
  EXPECT_EQ(parse_duration("1w"), 604'800'000);
  for (const char* wrong : {"5", "", "s", "5 sec", "1h30m"})
    EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
}

TEST(Units, AreWrittenInTheLargestThatFits) {
  EXPECT_EQ(format_size(16 << 20), "16MiB");
  EXPECT_EQ(format_size(1'000'000), "1MB");
  EXPECT_EQ(format_size(1001), "1001B");
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_duration(604'800'000), "7d");
  EXPECT_EQ(format_duration(90'000), "90s");
  EXPECT_EQ(format_duration(250), "250ms");
}

TEST(Suggest, FindsTheNearestWordOnly) {
  constexpr std::string_view kKnown[] = {"level", "format", "destination"};
  EXPECT_EQ(suggest("levle", kKnown), "level") << "two letters swapped are one slip";
  EXPECT_EQ(suggest("formt", kKnown), "format");
  EXPECT_EQ(suggest("x", kKnown), std::nullopt);
  EXPECT_EQ(suggest("colour", kKnown), std::nullopt);
}

}  // namespace
}  // namespace nightjar::config
