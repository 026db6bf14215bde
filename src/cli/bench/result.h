// What a measurement found. Plain values; the reports are made from them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/histogram.h"

namespace nightjar::cli::bench {

// Of the messages that were sent in a phase, how many arrived and how.
struct Verification {
  std::uint64_t expected = 0;
  std::uint64_t delivered = 0;  // each counted once
  std::uint64_t duplicates = 0;
  std::uint64_t late = 0;     // behind a message of the same publisher that was sent later
  std::uint64_t damaged = 0;  // the payload is not what was sent
  std::uint64_t foreign = 0;  // not sent by this run, or not to this client
  std::uint64_t lost_connections = 0;
  std::uint64_t stalls = 0;  // times that nothing of a whole window came back for seconds

  [[nodiscard]] std::uint64_t lost() const { return expected > delivered ? expected - delivered : 0; }
  [[nodiscard]] bool is_clean() const {
    return lost() == 0 && duplicates == 0 && late == 0 && damaged == 0 && foreign == 0 &&
           lost_connections == 0;
  }
};

// A piece of a phase, for charts.
struct IntervalResult {
  double end_s = 0;  // since the measured span began
  double published_per_s = 0;
  double delivered_per_s = 0;
  double connected_per_s = 0;
  double subscribed_per_s = 0;
  double broker_cores = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t p50_ns = 0;
  std::uint64_t p99_ns = 0;
  std::uint64_t max_ns = 0;
  std::uint64_t acknowledged_p99_ns = 0;
};

// The unit of phases in which only time passes.
inline constexpr std::string_view kSecondUnit = "second";

// One part of a scenario: what was counted in which time, and what it cost.
struct PhaseResult {
  std::string name;
  std::string unit = "message";  // what `count` counts
  std::uint64_t count = 0;
  double seconds = 0;
  double broker_cpu_s = 0;
  double own_cpu_s = 0;
  double own_tls_s = 0;  // of it, in this tool's own end of TLS
  std::uint64_t published = 0;
  std::uint64_t bytes_in = 0;  // received by this tool
  std::uint64_t bytes_out = 0;
  std::uint64_t resident_begin = 0;
  std::uint64_t resident_end = 0;
  std::uint64_t private_begin = 0;
  std::uint64_t private_end = 0;
  Histogram latency;          // nanoseconds, from sending to arrival
  Histogram acknowledgement;  // nanoseconds, from sending at QoS 1 and 2 to PUBACK and PUBCOMP
  std::vector<IntervalResult> intervals;
  Verification verification;
  std::vector<std::pair<std::string, double>> extra;  // further figures by name

  [[nodiscard]] double rate() const { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }
  [[nodiscard]] double broker_us() const { return per_count(broker_cpu_s); }
  [[nodiscard]] double own_us() const { return per_count(own_cpu_s); }
  [[nodiscard]] double own_tls_us() const { return per_count(own_tls_s); }
  [[nodiscard]] double broker_cores() const { return seconds > 0 ? broker_cpu_s / seconds : 0; }

 private:
  [[nodiscard]] double per_count(double cpu_s) const {
    return count != 0 ? cpu_s * 1e6 / static_cast<double>(count) : 0;
  }
};

struct BenchResult {
  std::string scenario;
  std::vector<std::pair<std::string, std::string>> settings;  // in the order to be shown
  std::vector<std::string> notes;
  std::vector<PhaseResult> phases;
  bool has_broker_usage = false;
};

}  // namespace nightjar::cli::bench
