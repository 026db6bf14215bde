#include "cli/bench/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/bench/chart.h"

namespace nightjar::cli::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

BenchResult example() {
  PhaseResult phase{.name = "run", .count = 2'000'000, .seconds = 2, .broker_cpu_s = 1, .own_cpu_s = 0.1};
  for (std::uint64_t i = 1; i <= 1000; ++i) phase.latency.record(i * 1000);
  for (std::uint64_t i = 1; i <= 100; ++i) phase.acknowledgement.record(i * 100'000);
  phase.verification = {.expected = 2'500'000, .delivered = 2'500'000};
  for (int i = 1; i <= 10; ++i) {
    phase.intervals.push_back({.end_s = i * 0.2,
                               .published_per_s = 1e6,
                               .delivered_per_s = 1e6,
                               .broker_cores = 0.5,
                               .resident_bytes = 10 << 20,
                               .p50_ns = 500'000,
                               .p99_ns = 990'000,
                               .max_ns = 1'000'000,
                               .acknowledged_p99_ns = 7'000'000});
  }
  phase.extra.emplace_back("bytes_per_filter", 250.0);
  return {.scenario = "p2p",
          .settings = {{"broker", "127.0.0.1:1883"}, {"qos", "0"}},
          .notes = {"a <note>"},
          .phases = {phase},
          .has_broker_usage = true};
}

TEST(Report, TableSaysWhatWasMeasuredAndWhatItCost) {
  const std::string table = report_table(example());
  EXPECT_THAT(table, HasSubstr("2 000 000 messages in 2.000 s: 1 000 000 a second"));
  EXPECT_THAT(table, HasSubstr("0.500 µs per message, 0.50 cores"));
  EXPECT_THAT(table, HasSubstr("0.050 µs per message"));
  EXPECT_THAT(table, HasSubstr("until acknowledged              p50 5.0"));
  EXPECT_THAT(table, HasSubstr("all 2 500 000 arrived"));
  EXPECT_THAT(table, HasSubstr("bytes per filter"));
  EXPECT_THAT(table, HasSubstr("127.0.0.1:1883"));
}

TEST(Report, TellsTheCryptographyOfTheToolApart) {
  EXPECT_THAT(report_table(example()), Not(HasSubstr("of it TLS")));
  BenchResult result = example();
  result.phases.front().own_tls_s = 0.06;
  EXPECT_THAT(report_table(result), HasSubstr("0.050 µs per message, 0.030 µs of it TLS"));
  EXPECT_DOUBLE_EQ(report_json(result).at("phases").at(0).at("own_tls_us").to_number<double>(), 0.03);
}

TEST(Report, TableSaysWhatWentWrong) {
  BenchResult result = example();
  result.phases.front().verification = {
      .expected = 10, .delivered = 7, .duplicates = 2, .late = 1, .stalls = 4};
  const std::string table = report_table(result);
  EXPECT_THAT(table, HasSubstr("NOT CLEAN"));
  EXPECT_THAT(table, HasSubstr("3 of 10 lost, 2 duplicates, 1 out of order"));
  EXPECT_THAT(table, HasSubstr("4 times"));
  EXPECT_THAT(table, Not(HasSubstr("arrived")));
}

TEST(Report, WithoutTheBrokersProcessSaysNothingOfIt) {
  BenchResult result = example();
  result.has_broker_usage = false;
  EXPECT_THAT(report_table(result), Not(HasSubstr("broker CPU")));
  EXPECT_FALSE(report_json(result).at("phases").at(0).as_object().contains("broker"));
}

TEST(Report, JsonHasEveryFigure) {
  const boost::json::object json = report_json(example());
  const boost::json::value& phase = json.at("phases").at(0);
  EXPECT_EQ(json.at("scenario").as_string(), "p2p");
  EXPECT_EQ(phase.at("count").to_number<int>(), 2'000'000);
  EXPECT_DOUBLE_EQ(phase.at("per_s").to_number<double>(), 1e6);
  EXPECT_DOUBLE_EQ(phase.at("broker").at("cpu_us").to_number<double>(), 0.5);
  EXPECT_DOUBLE_EQ(phase.at("own_cpu_us").to_number<double>(), 0.05);
  EXPECT_NEAR(phase.at("latency_us").at("p50").to_number<double>(), 500, 5);
  EXPECT_NEAR(phase.at("acknowledgement_us").at("p50").to_number<double>(), 5000, 50);
  EXPECT_DOUBLE_EQ(phase.at("intervals").at(0).at("acknowledged_p99_us").to_number<double>(), 7000);
  EXPECT_EQ(phase.at("verification").at("clean").as_bool(), true);
  EXPECT_EQ(phase.at("intervals").as_array().size(), 10U);
  EXPECT_DOUBLE_EQ(phase.at("bytes_per_filter").to_number<double>(), 250);
}

TEST(Report, HtmlIsOnePageWithChartsAndNeedsNothingElse) {
  const std::string html = report_html(example());
  for (const char* title :
       {"Throughput", "Latency over time", "Latency by percentile", "Broker CPU", "Broker memory"}) {
    EXPECT_THAT(html, HasSubstr(title));
  }
  EXPECT_THAT(html, HasSubstr("<polyline"));
  EXPECT_THAT(html, HasSubstr("a &lt;note&gt;"));
  for (const char* outside : {"http://", "https://", "src=", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(Report, WritesNumbersForPeople) {
  EXPECT_EQ(count_text(1234567), "1 234 567");
  EXPECT_EQ(count_text(12), "12");
  EXPECT_EQ(time_text(1500), "1.5 µs");
  EXPECT_EQ(time_text(2.5e6), "2.50 ms");
  EXPECT_EQ(time_text(3e9), "3.00 s");
  EXPECT_EQ(bytes_text(512), "512 B");
  EXPECT_EQ(bytes_text(64 * 1024), "64 KiB");
  EXPECT_EQ(bytes_text(20.0 * 1024 * 1024), "20.0 MiB");
  EXPECT_EQ(figure_text(0.0361), "0.036");
  EXPECT_EQ(figure_text(150.25), "150.2");
  EXPECT_EQ(figure_text(0), "0");
}

TEST(Chart, PutsEqualValuesOnALine) {
  // Nothing varies: neither axis may divide by its width of zero.
  const std::string svg =
      line_chart({.title = "flat", .x_title = "x", .y_text = figure_text}, {{"one", {{3, 0}, {3, 0}}}});
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(Chart, DrawsHigherValuesHigher) {
  const std::string svg =
      line_chart({.title = "rising", .x_title = "x", .y_text = figure_text}, {{"one", {{0, 0}, {1, 10}}}});
  // From the lower left corner to the upper right one.
  EXPECT_THAT(svg, HasSubstr("points='76.0,220.0 628.0,34.0 '"));
}

}  // namespace
}  // namespace nightjar::cli::bench
