// Runs the jobs of a load one after the other on its threads, and measures each. Belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench/load_thread.h"
#include "cli/bench/process_meter.h"
#include "cli/bench/result.h"
#include "cli/bench/traffic.h"

namespace nightjar::cli::bench {

// Told about a phase that is under way, once an interval. For people who wait.
using Progress = std::function<void(const std::string& phase, const IntervalResult& now)>;

// A phase that lasts a time, or until a number of messages was sent.
struct MessagesPhase {
  std::string name = "run";
  Range clients{0, UINT64_MAX};
  double rate = 0;  // messages published a second by all; 0: a flood
  Nanoseconds ramp = 0;
  Nanoseconds warmup = 0;
  Nanoseconds duration = 0;  // 0: until messages_per_stream are sent
  std::uint64_t messages_per_stream = UINT64_MAX;
  bool is_delivered = true;            // false: nobody is there to receive, acknowledgements end the phase
  Nanoseconds patience = 3 * kSecond;  // without an arrival, before the rest counts as lost
};

class Load {
 public:
  Load(const Plan& plan, LoadSettings settings, const ProcessMeter& meter, Progress progress);

  // Connects these clients and has them subscribe; an error if one of them could not.
  Result<PhaseResult> connect(Range clients, double rate = 0, unsigned dialing_max = 100);
  // Connects these clients so that nothing is left of their sessions, and disconnects them.
  Result<PhaseResult> clean_sessions(Range clients);
  Result<PhaseResult> subscribe(Range clients);
  PhaseResult messages(const MessagesPhase& phase);
  // Does `job` (connecting or subscribing), upon which that many messages shall arrive.
  PhaseResult receive(const std::string& name, std::uint64_t expected, Nanoseconds patience, const Job& job);
  // Only watches for that long.
  PhaseResult hold(Nanoseconds duration);
  void disconnect(Range clients);

  Traffic& traffic() { return traffic_; }

 private:
  // The sums of all threads at one moment.
  struct Snapshot {
    Nanoseconds time = 0;
    ProcessUsage broker;
    double own_cpu_s = 0;
    double own_tls_s = 0;
    std::uint64_t connected = 0;
    std::uint64_t refused = 0;
    std::uint64_t subscribed = 0;
    std::uint64_t published = 0;
    std::uint64_t delivered = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t late = 0;
    std::uint64_t damaged = 0;
    std::uint64_t foreign = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t lost_connections = 0;
    std::uint64_t stalls = 0;
    std::uint64_t resumed = 0;
    Nanoseconds last_arrival = 0;
  };

  class Running;

  Result<PhaseResult> connect(const Job& job);
  [[nodiscard]] std::uint64_t sum(const Counter ThreadCounters::*counter) const;
  [[nodiscard]] Snapshot take_snapshot(bool with_private = false) const;
  [[nodiscard]] std::uint64_t expected_deliveries() const;
  static PhaseResult compare(const Snapshot& begin, const Snapshot& end);
  void add_latencies(PhaseResult& result) const;
  void sample(PhaseResult& result, const Snapshot& begin, Snapshot& last, const std::string& name,
              Nanoseconds interval = kSecond) const;
  void wait_until_settled(const Running& running, Nanoseconds patience) const;
  void wait_until_delivered(std::uint64_t total, Nanoseconds patience) const;
  static void verify(PhaseResult& result, const Snapshot& begin, const Snapshot& end, std::uint64_t expected);

  Traffic traffic_;
  std::vector<std::unique_ptr<LoadThread>> threads_;
  const ProcessMeter& meter_;
  Progress progress_;
};

}  // namespace nightjar::cli::bench
