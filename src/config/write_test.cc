#include "config/write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "config/difference.h"
#include "config/load.h"
#include "config/mosquitto/load.h"
#include "config/schema.h"

namespace nightjar::config {
namespace {

TEST(WriteToml, DefaultsAreLeftOut) { EXPECT_EQ(write_toml(Config{}, "From nowhere."), "# From nowhere.\n"); }

TEST(WriteToml, WhatDiffersHasItsMeaning) {
  Config config;
  config.policy.sys_interval = Duration::seconds(7);
  const std::string text = write_toml(config, "");
  EXPECT_EQ(text, "\n[sys]\n# How often the $SYS topics are published. 0: never.\ninterval = \"7s\"\n");
}

TEST(WriteToml, QuotesAndLineBreaksComeBack) {
  Config config;
  config.node.data_dir = "a \"b\"\\c\n\td";
  ListenerConfig listener = fresh_listener(config);
  listener.proxy.trusted = {"10.0.0.0/8", "\"\\"};
  config.listeners.push_back(listener);
  const auto back = load_text(write_toml(config, ""), "written.toml");
  ASSERT_TRUE(back) << back.error().front();
  EXPECT_EQ(back->node.data_dir, config.node.data_dir);
  EXPECT_EQ(back->listeners.front().proxy.trusted, listener.proxy.trusted);
}

TEST(WriteToml, UnixSocketsHaveNoPort) {
  Config config;
  ListenerConfig listener = fresh_listener(config);
  listener.unix_path = "/run/nightjar.sock";
  listener.port = 0;
  config.listeners.push_back(listener);
  const auto back = load_text(write_toml(config, ""), "written.toml");
  ASSERT_TRUE(back) << back.error().front();
  EXPECT_EQ(back->listeners.front().unix_path, "/run/nightjar.sock");
}

TEST(WriteToml, FurtherCertificatesComeBack) {
  Config config;
  ListenerConfig listener = fresh_listener(config);
  listener.tls.files = {"a.crt", "a.key"};
  listener.tls.more = {{"b.crt", "b.key"}, {"c.crt", "c.key"}};
  config.listeners.push_back(listener);
  const auto back = load_text(write_toml(config, ""), "written.toml");
  ASSERT_TRUE(back) << back.error().front();
  ASSERT_EQ(back->listeners.front().tls.more.size(), 2U);
  EXPECT_EQ(back->listeners.front().tls.more.back().key, "c.key");
}

// All that the suite has of Mosquitto's files means the same in the native form. Mosquitto knows no limit of
// the bytes in flight, and the native key has one that no broker reaches.
TEST(WriteToml, EveryMosquittoConfComesBack) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(__FILE__).parent_path() /
                                                               "../../tests/e2e/mosquitto_conf")) {
    if (entry.path().extension() != ".conf") continue;
    const auto config =
        mosquitto::load_file(entry.path(), {.port = {}, .is_verbose = false, .is_without_bridges = true});
    if (!config) continue;  // it is there to be refused
    ++files;
    const auto back = load_text(write_toml(*config, ""), "written.toml");
    ASSERT_TRUE(back) << entry.path() << ": " << back.error().front();
    std::vector<std::string> keys;
    for (const Change& change : differences(*config, *back)) {
      // A Unix socket has no port, and Mosquitto's has 0.
      const bool is_named =
          change.key == "limits.max_inflight_bytes" || change.key == "listener../broker.sock.port";
      if (!is_named) keys.push_back(change.key + ": " + change.from + " -> " + change.to);
    }
    EXPECT_THAT(keys, testing::IsEmpty()) << entry.path();
  }
  EXPECT_GE(files, 10U);
}

}  // namespace
}  // namespace nightjar::config
