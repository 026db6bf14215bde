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
