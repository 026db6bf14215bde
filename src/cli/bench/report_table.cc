#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "cli/bench/report.h"

namespace nightjar::cli::bench {
namespace {

class Lines {
 public:
  template <typename... Args>
  void add(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), "  {:<32}{}\n", name,
                   fmt::format(format, std::forward<Args>(args)...));
  }
  void heading(std::string_view name) { fmt::format_to(std::back_inserter(text_), "{}\n", name); }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_latency(Lines& lines, std::string_view name, const Histogram& latency) {
  if (latency.empty()) return;
  const auto text = [&](double quantile) { return time_text(static_cast<double>(latency.at(quantile))); };
  lines.add(name, "p50 {}   p90 {}   p99 {}   p99.9 {}   max {}", text(0.50), text(0.90), text(0.99),
            text(0.999), time_text(static_cast<double>(latency.max())));
}

void add_usage(Lines& lines, const PhaseResult& phase) {
  lines.add("broker CPU", "{:.3f} µs per {}, {:.2f} cores", phase.broker_us(), phase.unit,
            phase.broker_cores());
  lines.add("broker memory", "{} resident, {} private at the end (before: {}, {})",
            bytes_text(static_cast<double>(phase.resident_end)),
            bytes_text(static_cast<double>(phase.private_end)),
            bytes_text(static_cast<double>(phase.resident_begin)),
            bytes_text(static_cast<double>(phase.private_begin)));
}

void add_verification(Lines& lines, const Verification& found) {
  if (found.expected == 0 && found.is_clean()) return;
  if (found.is_clean())
    return lines.add("verified", "all {} arrived, once, in order, undamaged",
                     count_text(static_cast<double>(found.delivered)));
  lines.add("NOT CLEAN",
            "{} of {} lost, {} duplicates, {} out of order, {} damaged, {} foreign, {} connections lost",
            found.lost(), found.expected, found.duplicates, found.late, found.damaged, found.foreign,
            found.lost_connections);
  if (found.stalls != 0) lines.add("stalls", "{} times nothing came back for seconds", found.stalls);
}

}  // namespace

std::string time_text(double nanoseconds) {
  if (nanoseconds < 1e6) return fmt::format("{:.1f} µs", nanoseconds / 1e3);
  if (nanoseconds < 1e9) return fmt::format("{:.2f} ms", nanoseconds / 1e6);
  return fmt::format("{:.2f} s", nanoseconds / 1e9);
}

std::string count_text(double count) {
  const std::string digits = fmt::format("{:.0f}", std::round(count));
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ' ';
    text += digits[i];
  }
  return text;
}

std::string figure_text(double value) {
  if (value == 0) return "0";
  if (std::abs(value) < 10) return fmt::format("{:.3f}", value);
  if (std::abs(value) < 1000) return fmt::format("{:.1f}", value);
  return count_text(value);
}

std::string words(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string bytes_text(double bytes) {
  if (bytes < 10 * 1024) return fmt::format("{:.0f} B", bytes);
  if (bytes < 10 * 1024 * 1024) return fmt::format("{:.0f} KiB", bytes / 1024);
  return fmt::format("{:.1f} MiB", bytes / 1024 / 1024);
}

std::string report_table(const BenchResult& result) {
  Lines lines;
  lines.heading(result.scenario);
  for (const auto& [name, value] : result.settings) lines.add(name, "{}", value);
  for (const PhaseResult& phase : result.phases) {
    lines.heading(phase.name);
    if (phase.unit == kSecondUnit) {
      lines.add("measured", "{:.1f} s", phase.seconds);
    } else {
      lines.add("measured", "{} {}s in {:.3f} s: {} a second", count_text(static_cast<double>(phase.count)),
                phase.unit, phase.seconds, count_text(phase.rate()));
    }
    add_latency(lines, "latency", phase.latency);
    add_latency(lines, "until acknowledged", phase.acknowledgement);
    if (result.has_broker_usage) add_usage(lines, phase);
    lines.add("this tool's CPU", "{:.3f} µs per {}{}", phase.own_us(), phase.unit,
              phase.own_tls_s > 0 ? fmt::format(", {:.3f} µs of it TLS", phase.own_tls_us()) : "");
    for (const auto& [name, value] : phase.extra) lines.add(words(name), "{}", figure_text(value));
    add_verification(lines, phase.verification);
  }
  for (const std::string& note : result.notes) lines.add("note", "{}", note);
  return lines.take();
}

}  // namespace nightjar::cli::bench
