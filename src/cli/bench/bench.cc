#include "cli/bench/bench.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "cli/bench/compare.h"
#include "cli/bench/options.h"
#include "cli/bench/relay.h"
#include "cli/bench/report.h"
#include "cli/bench/scenarios.h"

namespace nightjar::cli {
namespace {

constexpr int kUnmeasured = 2;
constexpr int kUnclean = 3;

void show_progress(const std::string& phase, const bench::IntervalResult& now) {
  using bench::count_text;
  std::string line = fmt::format("{} {:.1f} s", phase, now.end_s);
  if (now.connected_per_s > 0) line += fmt::format("  {} connects/s", count_text(now.connected_per_s));
  if (now.subscribed_per_s > 0) line += fmt::format("  {} filters/s", count_text(now.subscribed_per_s));
  if (now.published_per_s > 0) line += fmt::format("  {} published/s", count_text(now.published_per_s));
  if (now.delivered_per_s > 0) {
    line += fmt::format("  {} delivered/s  p50 {}  p99 {}", count_text(now.delivered_per_s),
                        bench::time_text(static_cast<double>(now.p50_ns)),
                        bench::time_text(static_cast<double>(now.p99_ns)));
  }
  if (now.resident_bytes != 0) {
    line += fmt::format("  broker {:.2f} cores, {}", now.broker_cores,
                        bench::bytes_text(static_cast<double>(now.resident_bytes)));
  }
  fmt::print(stderr, "\r\033[K{}", line);
  std::fflush(stderr);
}

int run_one(const bench::BenchOptions& options) {
  const auto meter = bench::ProcessMeter::open({options.pids.begin(), options.pids.end()});
  if (!meter) {
    fmt::print(stderr, "nightjar bench: {}\n", meter.error().message);
    return kUnmeasured;
  }
  const bool has_progress = !options.is_quiet && isatty(STDERR_FILENO) != 0;
  const auto result =
      bench::run_scenario(options, *meter, has_progress ? bench::Progress{show_progress} : bench::Progress{});
  if (has_progress) fmt::print(stderr, "\r\033[K");
  if (!result) {
    fmt::print(stderr, "nightjar bench: {}\n", result.error().message);
    return kUnmeasured;
  }
  if (!options.is_quiet && options.json_file != "-") fmt::print("{}", bench::report_table(*result));
  if (!options.json_file.empty() &&
      !bench::write_report(options.json_file, boost::json::serialize(bench::report_json(*result)))) {
    return kUnmeasured;
  }
  if (!options.html_file.empty() && !bench::write_report(options.html_file, bench::report_html(*result))) {
    return kUnmeasured;
  }
  return std::all_of(result->phases.begin(), result->phases.end(),
                     [](const bench::PhaseResult& each) { return each.verification.is_clean(); })
             ? 0
             : kUnclean;
}

}  // namespace

int run_bench(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "relay") {
    const auto options = bench::parse_relay(argc - 1, argv + 1);
    return options ? bench::run_relay(*options) : options.error();
  }
  if (mode == "compare") {
    const auto options = bench::parse_compare(argc - 1, argv + 1);
    return options ? bench::run_compare(*options) : options.error();
  }
  const auto options = bench::parse_bench(argc, argv);
  return options ? run_one(*options) : options.error();
}

}  // namespace nightjar::cli
