#include "config/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace nightjar::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

Config read(const std::string& text) { return load_text(text, "nightjar.toml").value(); }

TEST(Differences, NameEachKeyWithBothValuesAndWhenItIsFelt) {
  const Config before = read("[queue]\nmax_messages = 10\n[node]\nworkers = 1\n[log]\nlevel = \"info\"\n");
  const Config after = read("[queue]\nmax_messages = 20\n[node]\nworkers = 2\n[log]\nlevel = \"debug\"\n");
  EXPECT_THAT(differences(before, after),
              ElementsAre(Change{"node.workers", "1", "2", Effect::kRestart},
                          Change{"queue.max_messages", "10", "20", Effect::kAtOnce},
                          Change{"log.level", "\"info\"", "\"debug\"", Effect::kAtOnce}));
  EXPECT_THAT(differences(before, before), IsEmpty());
}

TEST(Differences, KnowAListenerByItsAddress) {
  const Config before = read("[[listener]]\nname = \"a\"\nport = 1\n[[listener]]\nname = \"b\"\nport = 2\n");
  const Config after = read(
      "[[listener]]\nname = \"a\"\nport = 1\nmax_packet_size = \"1MiB\"\n"
      "[listener.queue]\nmax_messages = 5\n[[listener]]\nname = \"c\"\nport = 3\n");
  EXPECT_THAT(
      differences(before, after),
      ElementsAre(Change{"listener.b", "*:2", "", Effect::kClosedListener},
                  Change{"listener.a.max_packet_size", "\"16MiB\"", "\"1MiB\"", Effect::kNewConnections},
                  Change{"listener.a.queue.max_messages", "10000", "5", Effect::kAtOnce},
                  Change{"listener.c", "", "*:3", Effect::kNewListener}));
}

TEST(Differences, OfALimitAreNotRepeatedForEachListenerThatHasItFromThere) {
  const std::string listener = "[[listener]]\nname = \"a\"\nport = 1\n";
  const Config before = read("[limits]\nmax_keep_alive = \"60s\"\n" + listener);
  const Config after = read("[limits]\nmax_keep_alive = \"90s\"\n" + listener);
  EXPECT_THAT(differences(before, after),
              ElementsAre(Change{"limits.max_keep_alive", "\"1m\"", "\"90s\"", Effect::kNewConnections}));
}

TEST(Differences, ShowFurtherCertificates) {
  const std::string listener =
      "[[listener]]\nname = \"a\"\nport = 1\n[listener.tls]\ncertificate = \"c\"\nkey = \"k\"\n";
  const auto more = [](const std::string& name) {
    return "[[listener.tls.more]]\ncertificate = \"" + name + ".pem\"\nkey = \"" + name + ".key\"\n";
  };
  const Config before = read(listener + more("x"));
  const Config after = read(listener + more("y") + more("z"));
  const Effect effect = Effect::kNewConnections;
  const std::string key = "listener.a.tls.more";
  EXPECT_THAT(differences(before, after),
              ElementsAre(Change{key + ".certificate", "\"x.pem\"", "\"y.pem\"", effect},
                          Change{key + ".key", "\"x.key\"", "\"y.key\"", effect},
                          Change{key + ".2.certificate", "", "\"z.pem\"", effect},
                          Change{key + ".2.key", "", "\"z.key\"", effect}));
  EXPECT_THAT(differences(after, read(listener + more("y"))),
              ElementsAre(Change{key + ".2.certificate", "\"z.pem\"", "", effect},
                          Change{key + ".2.key", "\"z.key\"", "", effect}));
}

TEST(Differences, OfWhoMayEnterAreFeltAtOnce) {
  const std::string listener = "[[listener]]\nname = \"a\"\nport = 1\n";
  EXPECT_THAT(differences(read(listener + "allow_anonymous = true\n"),
                          read("[auth]\npassword_file = \"p\"\n" + listener)),
              ElementsAre(Change{"auth.password_file", "\"\"", "\"p\"", Effect::kAtOnce},
                          Change{"listener.a.allow_anonymous", "true", "false", Effect::kAtOnce}));
}

TEST(Differences, RefusingMessagesBeginsWithARestart) {
  const std::string listener = "[[listener]]\nname = \"a\"\nport = 1\n";
  const Config plain = read("[queue]\noverflow = \"drop-old\"\n" + listener);
  const Config refusing = read("[queue]\noverflow = \"reject\"\n" + listener);
  EXPECT_THAT(differences(plain, refusing),
              ElementsAre(Change{"queue.overflow", "\"drop-old\"", "\"reject\"", Effect::kRestart}));
  const Config meanwhile = without_restart(plain, refusing);
  EXPECT_EQ(meanwhile.listeners.front().policy.queue.overflow, broker::OverflowPolicy::kDropOld);
  EXPECT_THAT(differences(meanwhile, refusing), ElementsAre(Field(&Change::effect, Effect::kRestart)));
  // One that refused from its start may do so again.
  const Config again = without_restart(refusing, plain);
  EXPECT_THAT(differences(again, refusing), ElementsAre(Field(&Change::effect, Effect::kAtOnce)));
}

TEST(Settings, ShowFurtherCertificatesWithTheirPlace) {
  const auto all =
      settings(read("[[listener]]\nname = \"a\"\nport = 1\n[listener.tls]\ncertificate = \"c\"\nkey = \"k\"\n"
                    "[[listener.tls.more]]\ncertificate = \"d\"\nkey = \"l\"\n"));
  EXPECT_THAT(all, Contains(::testing::AllOf(Field(&Setting::key, "listener.a.tls.more.certificate"),
                                             Field(&Setting::value, "\"d\""),
                                             Field(&Setting::origin, "nightjar.toml:8:15"))));
}

TEST(Settings, SayWhereEachValueComesFrom) {
  Config config = read("[log]\nlevel = \"debug\"\n");
  config.from_command_line.insert("node.data");
  const auto all = settings(config);
  const auto is = [](const char* key, const char* origin) {
    return ::testing::AllOf(Field(&Setting::key, key), Field(&Setting::origin, origin));
  };
  EXPECT_THAT(all, IsSupersetOf({is("log.level", "nightjar.toml:2:9"), is("log.format", "default"),
                                 is("node.data", "command line")}));
  EXPECT_THAT(all, Contains(Field(&Setting::value, "\"debug\"")));
}

}  // namespace
}  // namespace nightjar::config
