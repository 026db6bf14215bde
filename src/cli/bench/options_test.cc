#include "cli/bench/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace nightjar::cli::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(BenchOptions, AreReadFromALine) {
  const auto options = parse_scenario("p2p -q 1 -s 1024 -r 20000 --pid 17 --pid 18 -V 5 --warmup 0.5");
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->scenario, "p2p");
  EXPECT_EQ(options->qos, 1);
  EXPECT_EQ(options->payload_bytes, 1024U);
  EXPECT_EQ(options->rate, 20000);
  EXPECT_EQ(options->version, mqtt::Version::k5);
  EXPECT_EQ(options->warmup_s, 0.5);
  EXPECT_THAT(options->pids, ElementsAre(17, 18));
}

TEST(BenchOptions, LeaveToTheScenarioWhatIsNotGiven) {
  const auto options = parse_scenario("shared");
  ASSERT_TRUE(options);
  EXPECT_LT(options->qos, 0);
  EXPECT_LT(options->rate, 0);
  EXPECT_EQ(options->publishers, 0U);
  EXPECT_EQ(options->version, mqtt::Version::k311);
}

TEST(BenchOptions, RefuseWhatCannotBeMeasured) {
  for (const char* line : {"", "p3p", "p2p -q 3", "p2p -s 15", "p2p -V 4", "p2p --threads 0", "p2p -d 0",
                           "p2p -r -1", "omb --case p2p-2K", "p2p --beside noise", "p2p --no-such-option"}) {
    const auto options = parse_scenario(line);
    ASSERT_FALSE(options) << line;
    EXPECT_THAT(options.error().message, HasSubstr(line));
  }
}

TEST(BenchOptions, KnowTheHelp) {
  const std::vector<const char*> arguments{"bench", "--help"};
  testing::internal::CaptureStdout();
  const auto options = parse_bench(2, arguments.data());
  const std::string help = testing::internal::GetCapturedStdout();
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error(), 0);
  EXPECT_THAT(help, HasSubstr("Examples:"));
  for (const char* word : {"p2p", "fanout", "fanin", "shared", "wild", "conn", "retained", "offline", "mixed",
                           "capacity", "omb", "relay", "compare"}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
}

TEST(BenchOptions, SayHowToReachTheBroker) {
  const auto wss = parse_scenario("p2p -L wss://me:secret@broker.example:8884 --cafile ca.pem");
  ASSERT_TRUE(wss) << wss.error().message;
  EXPECT_EQ(wss->host, "broker.example");
  EXPECT_EQ(wss->port, 8884);
  EXPECT_EQ(wss->user_name, "me");
  EXPECT_EQ(wss->password, "secret");
  EXPECT_TRUE(wss->uses_websocket);
  ASSERT_TRUE(wss->tls);
  EXPECT_EQ(wss->tls->authorities, "ca.pem");
  EXPECT_TRUE(wss->tls->checks_server);
  const auto insecure = parse_scenario("conn --insecure --resume");
  ASSERT_TRUE(insecure);
  EXPECT_EQ(insecure->port, 8883);
  EXPECT_FALSE(insecure->tls->checks_server);
  EXPECT_TRUE(insecure->resumes);
  const auto plain = parse_scenario("p2p --unix /run/mqtt.sock --ws");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->unix_path, "/run/mqtt.sock");
  EXPECT_FALSE(plain->tls);
}

TEST(BenchOptions, RefuseTransportsThatDoNotFitTogether) {
  for (const char* line : {"p2p -L mqtt://a -p 1", "p2p -L http://a", "p2p --unix /x -h a",
                           "p2p --cert a.pem", "conn --resume", "p2p -L ws://a --unix /x"}) {
    EXPECT_FALSE(parse_scenario(line)) << line;
  }
}

TEST(CompareOptions, TakeBrokersAndScenarios) {
  const std::vector<const char*> arguments{"compare",    "a=run {port}", "b=go {port} {dir}",
                                           "--scenario", "p2p -q 1",     "--scenario",
                                           "fanout",     "--rounds",     "3",
                                           "--with",     "b=--ws"};
  const auto options = parse_compare(static_cast<int>(arguments.size()), arguments.data());
  ASSERT_TRUE(options);
  EXPECT_THAT(options->brokers, ElementsAre("a=run {port}", "b=go {port} {dir}"));
  EXPECT_THAT(options->scenarios, ElementsAre("p2p -q 1", "fanout"));
  EXPECT_EQ(options->rounds, 3U);
  EXPECT_THAT(options->with, ElementsAre("b=--ws"));
}

}  // namespace
}  // namespace nightjar::cli::bench
