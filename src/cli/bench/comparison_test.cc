#include "cli/bench/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/bench/broker_process.h"

namespace nightjar::cli::bench {
namespace {

using testing::HasSubstr;

// A run of a second in which each message cost the broker that much.
BenchResult result(double cpu_us, std::uint64_t lost = 0) {
  PhaseResult phase{.name = "run", .count = 1000, .seconds = 1, .broker_cpu_s = cpu_us * 1000 / 1e6};
  phase.verification = {.expected = 1000, .delivered = 1000 - lost};
  return {.scenario = "p2p", .phases = {phase}, .has_broker_usage = true};
}

TEST(Median, IsTheMiddleOne) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

TEST(Comparison, ShowsMediansAndTheirRatios) {
  Comparison comparison({"ours", "theirs"});
  for (const double cpu_us : {1.0, 5.0, 2.0}) comparison.add(0, "p2p -q 1", result(cpu_us));
  for (const double cpu_us : {10.0, 11.0, 90.0}) comparison.add(1, "p2p -q 1", result(cpu_us));
  EXPECT_TRUE(comparison.is_clean());
  EXPECT_THAT(comparison.table(), HasSubstr("p2p -q 1: run"));
  EXPECT_THAT(comparison.table(), HasSubstr("11.0 (5.50x)"));
  const boost::json::object json = comparison.json();
  const boost::json::value& figure = json.at("figures").at(0);
  EXPECT_EQ(figure.at("figure").as_string(), "CPU µs per message");
  EXPECT_DOUBLE_EQ(figure.at("brokers").at("ours").at("median").to_number<double>(), 2);
  EXPECT_DOUBLE_EQ(figure.at("brokers").at("theirs").at("ratio").to_number<double>(), 5.5);
  EXPECT_EQ(figure.at("brokers").at("theirs").at("rounds").as_array().size(), 3U);
  EXPECT_THAT(comparison.html(), HasSubstr("11.0 (5.50x)"));
}

TEST(Comparison, KeepsTogetherWhatBelongsToAPhase) {
  Comparison comparison({"tcp", "tls"});
  BenchResult plain = result(1);
  plain.phases.push_back(plain.phases.front());
  plain.phases.back().name = "hold";
  BenchResult secure = plain;
  secure.phases.front().own_tls_s = 0.002;
  comparison.add(0, "conn", plain);
  comparison.add(1, "conn", secure);
  std::string phases;
  for (const ComparedFigure& each : comparison.figures()) {
    if (!phases.ends_with(each.phase)) phases += " " + each.phase;
  }
  EXPECT_EQ(phases, " run hold");
  EXPECT_THAT(comparison.table(), HasSubstr("TLS of it, µs per message"));
}

TEST(Comparison, NamesTheRoundThatLostMessages) {
  Comparison comparison({"ours", "theirs"});
  comparison.add(0, "p2p", result(1));
  comparison.add(1, "p2p", result(1, 3));
  EXPECT_FALSE(comparison.is_clean());
  EXPECT_THAT(comparison.table(), HasSubstr("NOT CLEAN: theirs, p2p, run: 3 lost"));
}

TEST(BrokerProcess, FillsInPortAndDirectory) {
  EXPECT_EQ(fill_in("run -p {port} --data {dir}/a {dir}/b", 1884, "/tmp/x"),
            "run -p 1884 --data /tmp/x/a /tmp/x/b");
}

TEST(BrokerProcess, ShowsWhatAFailingBrokerSaid) {
  const auto process = BrokerProcess::start("broken", "echo no such luck; exit 1; {port}");
  ASSERT_FALSE(process);
  EXPECT_THAT(process.error().message, HasSubstr("broken ended at once"));
  EXPECT_THAT(process.error().message, HasSubstr("no such luck"));
}

}  // namespace
}  // namespace nightjar::cli::bench
