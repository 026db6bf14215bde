#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>

#include "cli/bench/chart.h"
#include "cli/bench/report.h"

namespace nightjar::cli::bench {
namespace {

using Figure = double (*)(const IntervalResult&);

void add_row(std::string& out, const std::string& name, const std::string& value, bool is_bad = false) {
  fmt::format_to(std::back_inserter(out), "<tr><th>{}</th><td{}>{}</td></tr>\n", html_text(name),
                 is_bad ? " class='bad'" : "", html_text(value));
}

std::string seconds_text(double microseconds) { return time_text(microseconds * 1e3); }

// A line over time, or nothing if it stays at zero.
void add_line(std::vector<ChartLine>& lines, const PhaseResult& phase, const std::string& name,
              Figure figure) {
  ChartLine line{.name = name};
  bool is_flat = true;
  for (const IntervalResult& each : phase.intervals) {
    line.points.emplace_back(each.end_s, figure(each));
    is_flat &= line.points.back().second == 0;
  }
  if (!is_flat) lines.push_back(std::move(line));
}

void add_chart(std::string& out, const ChartForm& form, const std::vector<ChartLine>& lines) {
  if (!lines.empty()) out += line_chart(form, lines);
}

std::string throughput_chart(const PhaseResult& phase) {
  std::vector<ChartLine> lines;
  add_line(lines, phase, "delivered", [](const IntervalResult& each) { return each.delivered_per_s; });
  add_line(lines, phase, "published", [](const IntervalResult& each) { return each.published_per_s; });
  add_line(lines, phase, "connects", [](const IntervalResult& each) { return each.connected_per_s; });
  add_line(lines, phase, "filters", [](const IntervalResult& each) { return each.subscribed_per_s; });
  std::string out;
  add_chart(out, {.title = "Throughput, a second", .x_title = "seconds", .y_text = count_text}, lines);
  return out;
}

std::string latency_chart(const PhaseResult& phase) {
  std::vector<ChartLine> lines;
  add_line(lines, phase, "p50",
           [](const IntervalResult& each) { return static_cast<double>(each.p50_ns) / 1e3; });
  add_line(lines, phase, "p99",
           [](const IntervalResult& each) { return static_cast<double>(each.p99_ns) / 1e3; });
  add_line(lines, phase, "max",
           [](const IntervalResult& each) { return static_cast<double>(each.max_ns) / 1e3; });
  add_line(lines, phase, "acknowledged, p99",
           [](const IntervalResult& each) { return static_cast<double>(each.acknowledged_p99_ns) / 1e3; });
  std::string out;
  add_chart(
      out,
      {.title = "Latency over time", .x_title = "seconds", .y_text = seconds_text, .is_logarithmic = true},
      lines);
  return out;
}

// The whole distribution: each mark to the right is a tenth of the messages before.
std::string distribution_chart(const PhaseResult& phase) {
  if (phase.latency.empty()) return {};
  ChartLine line{.name = "latency"};
  const double nines = std::log10(static_cast<double>(phase.latency.count()));
  for (double x = 0; x < std::max(1.0, nines); x += 0.1) {
    line.points.emplace_back(x, static_cast<double>(phase.latency.at(1 - std::pow(10, -x))) / 1e3);
  }
  ChartForm form{.title = "Latency by percentile",
                 .x_title = "percent of the messages",
                 .y_text = seconds_text,
                 .is_logarithmic = true};
  constexpr std::array kMarks{"0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"};
  for (std::size_t i = 0; i < kMarks.size() && static_cast<double>(i) < std::max(1.0, nines); ++i) {
    form.x_marks.emplace_back(static_cast<double>(i), kMarks[i]);
  }
  return line_chart(form, {line});
}

std::string usage_charts(const PhaseResult& phase) {
  std::vector<ChartLine> cores;
  add_line(cores, phase, "cores", [](const IntervalResult& each) { return each.broker_cores; });
  std::vector<ChartLine> memory;
  add_line(memory, phase, "resident",
           [](const IntervalResult& each) { return static_cast<double>(each.resident_bytes); });
  std::string out;
  add_chart(out, {.title = "Broker CPU, cores", .x_title = "seconds", .y_text = figure_text}, cores);
  add_chart(out, {.title = "Broker memory, MiB", .x_title = "seconds", .y_text = figure_text}, memory);
  return out;
}

void add_percentiles(std::string& out, const std::string& name, const Histogram& latency) {
  if (latency.empty()) return;
  const auto text = [&](double quantile) { return time_text(static_cast<double>(latency.at(quantile))); };
  add_row(out, name,
          fmt::format("p50 {}, p90 {}, p99 {}, p99.9 {}, max {}", text(0.5), text(0.9), text(0.99),
                      text(0.999), time_text(static_cast<double>(latency.max()))));
}

std::string phase_table(const PhaseResult& phase, bool has_broker_usage) {
  std::string out = "<table>\n";
  if (phase.unit != kSecondUnit) {
    add_row(out, "measured",
            fmt::format("{} {}s in {:.3f} s: {} a second", count_text(static_cast<double>(phase.count)),
                        phase.unit, phase.seconds, count_text(phase.rate())));
  }
  add_percentiles(out, "latency", phase.latency);
  add_percentiles(out, "until acknowledged", phase.acknowledgement);
  if (has_broker_usage) {
    add_row(
        out, "broker CPU",
        fmt::format("{:.3f} µs per {}, {:.2f} cores", phase.broker_us(), phase.unit, phase.broker_cores()));
    add_row(out, "broker memory",
            fmt::format("{} resident, {} private", bytes_text(static_cast<double>(phase.resident_end)),
                        bytes_text(static_cast<double>(phase.private_end))));
  }
  if (phase.unit != kSecondUnit)
    add_row(out, "this tool's CPU", fmt::format("{:.3f} µs per {}", phase.own_us(), phase.unit));
  for (const auto& [name, value] : phase.extra) add_row(out, words(name), figure_text(value));
  const Verification& found = phase.verification;
  if (!found.is_clean()) {
    add_row(out, "not clean",
            fmt::format(
                "{} of {} lost, {} duplicates, {} out of order, {} damaged, {} foreign, {} connections lost",
                found.lost(), found.expected, found.duplicates, found.late, found.damaged, found.foreign,
                found.lost_connections),
            true);
  } else if (found.expected != 0) {
    add_row(out, "verified",
            fmt::format("all {} arrived, once, in order, undamaged",
                        count_text(static_cast<double>(found.delivered))));
  }
  return out + "</table>\n";
}

}  // namespace

std::string report_html(const BenchResult& result) {
  std::string body = "<table>\n";
  for (const auto& [name, value] : result.settings) add_row(body, name, value);
  body += "</table>\n";
  for (const PhaseResult& phase : result.phases) {
    fmt::format_to(std::back_inserter(body), "<h2>{}</h2>\n", html_text(phase.name));
    body += phase_table(phase, result.has_broker_usage);
    body +=
        "<div class='charts'>\n" + throughput_chart(phase) + latency_chart(phase) + distribution_chart(phase);
    if (result.has_broker_usage) body += usage_charts(phase);
    body += "</div>\n";
  }
  for (const std::string& note : result.notes) body += "<p>" + html_text(note) + "</p>\n";
  return html_page("nightjar bench " + result.scenario, body);
}

}  // namespace nightjar::cli::bench
