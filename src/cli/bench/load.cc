#include "cli/bench/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

namespace nightjar::cli::bench {
namespace {

// How precisely the end of a counted phase is seen.
constexpr Nanoseconds kPoll = kMillisecond;
// Time for threads to be there when the first message is due.
constexpr Nanoseconds kLeadTime = 5 * kMillisecond;
constexpr Nanoseconds kConnectPatience = 30 * kSecond;
constexpr int kIntervalsMax = 300;

void sleep_until(Nanoseconds time) {
  const Nanoseconds left = time - now_ns();
  if (left > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left));
}

Nanoseconds interval_of(Nanoseconds duration) {
  const Nanoseconds shortest = duration <= 20 * kSecond ? kSecond / 5 : kSecond;
  return std::max(shortest, duration / kIntervalsMax);
}

}  // namespace

// The threads of one job, from its start to the end of this object.
class Load::Running {
 public:
  Running(Load& load, const Job& job) : load_(load) {
    load_.traffic_.is_stopping.store(false, std::memory_order_relaxed);
    for (auto& each : load_.threads_) each->prepare(job);
    for (auto& each : load_.threads_) threads_.emplace_back([&thread = *each] { thread.run(); });
  }
  ~Running() { stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void stop() {
    load_.traffic_.is_stopping.store(true, std::memory_order_relaxed);
    for (auto& each : load_.threads_) each->wake();
    for (std::thread& each : threads_) each.join();
    threads_.clear();
  }
  [[nodiscard]] bool is_done() const {
    return std::all_of(load_.threads_.begin(), load_.threads_.end(),
                       [](const auto& each) { return each->is_done(); });
  }
  [[nodiscard]] bool is_settled() const {
    return std::all_of(load_.threads_.begin(), load_.threads_.end(),
                       [](const auto& each) { return each->is_settled(); });
  }

 private:
  Load& load_;
  std::vector<std::thread> threads_;
};

Load::Load(const Plan& plan, LoadSettings settings, const ProcessMeter& meter, Progress progress)
    : traffic_(plan, std::move(settings)), meter_(meter), progress_(std::move(progress)) {
  for (unsigned i = 0; i < traffic_.settings.threads; ++i) {
    threads_.push_back(std::make_unique<LoadThread>(traffic_, i));
    threads_.back()->make_clients();
  }
}

// ---- phases ----

Result<PhaseResult> Load::connect(Range clients, double rate, unsigned dialing_max) {
  return connect({.kind = Job::Kind::kConnect,
                  .clients = clients,
                  .rate = rate,
                  .begin = now_ns(),
                  .dialing_max = dialing_max});
}

Result<PhaseResult> Load::clean_sessions(Range clients) {
  auto result = connect({.kind = Job::Kind::kConnect, .clients = clients, .cleans_sessions = true});
  if (result) disconnect(clients);
  return result;
}

Result<PhaseResult> Load::connect(const Job& job) {
  const std::uint64_t known = traffic_.plan.clients.size();
  const std::uint64_t wanted = std::min(job.clients.count, known - std::min(known, job.clients.first));
  const Snapshot begin = take_snapshot(true);
  Snapshot last = begin;
  PhaseResult series;
  Running running(*this, job);
  Nanoseconds deadline = begin.time + kConnectPatience;
  for (std::uint64_t seen = 0; !running.is_done();) {
    sleep_until(now_ns() + kPoll);
    sample(series, begin, last, "connect");
    // In a storm of handshakes all of them may be under way for long before the first one is in.
    const std::uint64_t progress = sum(&ThreadCounters::connected) + sum(&ThreadCounters::bytes_in);
    if (std::exchange(seen, progress) != progress) deadline = now_ns() + kConnectPatience;
    if (now_ns() > deadline) return fail("the broker does not answer CONNECT");
  }
  running.stop();
  const Snapshot end = take_snapshot(true);
  if (end.connected - begin.connected != wanted) {
    return fail(fmt::format("{} of {} connections failed; {}", wanted - (end.connected - begin.connected),
                            wanted, traffic_.problem()));
  }
  PhaseResult result = compare(begin, end);
  result.name = "connect";
  result.unit = "connect";
  result.count = wanted;
  result.intervals = std::move(series.intervals);
  if (traffic_.settings.wire.tls) {
    result.extra.emplace_back("resumed", static_cast<double>(end.resumed - begin.resumed));
  }
  add_latencies(result);
  return result;
}

Result<PhaseResult> Load::subscribe(Range clients) {
  const Snapshot begin = take_snapshot(true);
  Snapshot last = begin;
  PhaseResult series;
  Running running(*this, {.kind = Job::Kind::kSubscribe, .clients = clients});
  Nanoseconds deadline = begin.time + kConnectPatience;
  for (std::uint64_t seen = 0; !running.is_done();) {
    sleep_until(now_ns() + kPoll);
    sample(series, begin, last, "subscribe");
    const std::uint64_t subscribed = sum(&ThreadCounters::subscribed);
    if (std::exchange(seen, subscribed) != subscribed) deadline = now_ns() + kConnectPatience;
    if (now_ns() > deadline) return fail("the broker does not answer SUBSCRIBE");
  }
  running.stop();
  const Snapshot end = take_snapshot(true);
  if (end.refused != begin.refused) return fail(traffic_.problem());
  PhaseResult result = compare(begin, end);
  result.name = "subscribe";
  result.unit = "filter";
  result.count = end.subscribed - begin.subscribed;
  return result;
}

PhaseResult Load::messages(const MessagesPhase& phase) {
  const std::uint64_t expected_before = expected_deliveries();
  const Snapshot at_start = take_snapshot(true);
  const bool is_timed = phase.duration != 0;
  Job job{.kind = Job::Kind::kPublish,
          .clients = phase.clients,
          .rate = phase.rate,
          .begin = at_start.time + (is_timed ? kLeadTime : 0),
          .ramp = phase.ramp,
          .publish_until = INT64_MAX,
          .messages_per_stream = phase.messages_per_stream};
  job.measure_begin = job.begin + (is_timed ? phase.warmup + phase.ramp : 0);
  job.measure_end = is_timed ? job.measure_begin + phase.duration : INT64_MAX;
  if (is_timed) {
    job.publish_until = job.measure_end;
    job.interval = interval_of(phase.duration);
  } else {
    job.interval = INT64_MAX / 4;
  }
  Running running(*this, job);
  if (is_timed) sleep_until(job.measure_begin);
  const bool is_paced_count = is_timed && phase.messages_per_stream != UINT64_MAX;
  const Snapshot begin = is_timed && !is_paced_count ? take_snapshot() : at_start;
  Snapshot last = begin;
  PhaseResult series;
  if (is_timed) {
    for (Nanoseconds at = begin.time + job.interval; at < job.measure_end + job.interval / 2;
         at += job.interval) {
      sleep_until(std::min(at, job.measure_end));
      sample(series, begin, last, phase.name, job.interval);
    }
  } else {
    std::uint64_t seen = 0;
    for (Nanoseconds moved_at = now_ns(); !running.is_settled() && now_ns() - moved_at < phase.patience;) {
      sleep_until(now_ns() + kPoll);
      sample(series, begin, last, phase.name);
      const std::uint64_t published = sum(&ThreadCounters::published);
      if (std::exchange(seen, published) != published) moved_at = now_ns();
    }
  }
  Snapshot end = take_snapshot();
  wait_until_settled(running, phase.patience);
  if (phase.is_delivered)
    wait_until_delivered(at_start.delivered + expected_deliveries() - expected_before, phase.patience);
  // So many were asked for, however long it takes: a broker that lags behind is not as fast as the schedule.
  if (is_paced_count || (!is_timed && phase.is_delivered)) end = take_snapshot();
  running.stop();
  PhaseResult result = compare(begin, end);
  const Snapshot at_end = take_snapshot(true);
  result.private_begin = at_start.broker.private_bytes;
  result.private_end = at_end.broker.private_bytes;
  result.name = phase.name;
  result.intervals = std::move(series.intervals);
  result.count = phase.is_delivered ? end.delivered - begin.delivered : end.published - begin.published;
  add_latencies(result);
  verify(result, at_start, at_end, phase.is_delivered ? expected_deliveries() - expected_before : 0);
  return result;
}

PhaseResult Load::receive(const std::string& name, std::uint64_t expected, Nanoseconds patience,
                          const Job& job) {
  const Snapshot begin = take_snapshot(true);
  Running running(*this, job);
  wait_until_delivered(begin.delivered + expected, patience);
  Snapshot end = take_snapshot(true);
  running.stop();
  PhaseResult result = compare(begin, end);
  result.name = name;
  result.count = end.delivered - begin.delivered;
  if (end.last_arrival > begin.time) result.seconds = to_seconds(end.last_arrival - begin.time);
  verify(result, begin, end, expected);
  return result;
}

PhaseResult Load::hold(Nanoseconds duration) {
  const Snapshot begin = take_snapshot(true);
  Snapshot last = begin;
  PhaseResult series;
  Running running(*this, {.kind = Job::Kind::kListen});
  for (const Nanoseconds end = begin.time + duration; now_ns() < end;) {
    sleep_until(std::min(end, now_ns() + kSecond));
    sample(series, begin, last, "hold");
  }
  running.stop();
  const Snapshot end = take_snapshot(true);
  PhaseResult result = compare(begin, end);
  result.name = "hold";
  result.unit = kSecondUnit;
  result.count = static_cast<std::uint64_t>(std::lround(to_seconds(duration)));
  result.intervals = std::move(series.intervals);
  verify(result, begin, end, 0);
  return result;
}

void Load::disconnect(Range clients) {
  Running running(*this, {.kind = Job::Kind::kDisconnect, .clients = clients});
  while (!running.is_done()) sleep_until(now_ns() + kPoll);
}

// ---- measuring ----

std::uint64_t Load::sum(const Counter ThreadCounters::*counter) const {
  std::uint64_t sum = 0;
  for (const auto& thread : threads_) sum += (thread->counters().*counter).get();
  return sum;
}

Load::Snapshot Load::take_snapshot(bool with_private) const {
  Snapshot now{.connected = sum(&ThreadCounters::connected),
               .refused = sum(&ThreadCounters::refused),
               .subscribed = sum(&ThreadCounters::subscribed),
               .published = sum(&ThreadCounters::published),
               .delivered = sum(&ThreadCounters::delivered),
               .duplicates = sum(&ThreadCounters::duplicates),
               .late = sum(&ThreadCounters::late),
               .damaged = sum(&ThreadCounters::damaged),
               .foreign = sum(&ThreadCounters::foreign),
               .bytes_in = sum(&ThreadCounters::bytes_in),
               .bytes_out = sum(&ThreadCounters::bytes_out),
               .lost_connections = sum(&ThreadCounters::lost_connections),
               .stalls = sum(&ThreadCounters::stalls),
               .resumed = sum(&ThreadCounters::resumed)};
  for (const auto& thread : threads_) {
    now.last_arrival =
        std::max(now.last_arrival, static_cast<Nanoseconds>(thread->counters().last_arrival.get()));
  }
  now.broker = with_private ? meter_.read_with_private() : meter_.read();
  now.own_cpu_s = bench::own_cpu_s();
  now.own_tls_s = static_cast<double>(sum(&ThreadCounters::tls_ns)) / kSecond;
  now.time = now_ns();
  return now;
}

std::uint64_t Load::expected_deliveries() const {
  std::uint64_t sum = 0;
  for (const auto& stream : traffic_.streams) {
    if (stream->publisher == nullptr) continue;
    sum += stream->publisher->sent() * (stream->plan.spread == Spread::kEach ? stream->plan.receivers : 1);
  }
  return sum;
}

PhaseResult Load::compare(const Snapshot& begin, const Snapshot& end) {
  PhaseResult result;
  result.seconds = to_seconds(end.time - begin.time);
  result.broker_cpu_s = end.broker.cpu_s - begin.broker.cpu_s;
  result.own_cpu_s = end.own_cpu_s - begin.own_cpu_s;
  result.own_tls_s = end.own_tls_s - begin.own_tls_s;
  result.published = end.published - begin.published;
  result.bytes_in = end.bytes_in - begin.bytes_in;
  result.bytes_out = end.bytes_out - begin.bytes_out;
  result.resident_begin = begin.broker.resident_bytes;
  result.resident_end = end.broker.resident_bytes;
  result.private_begin = begin.broker.private_bytes;
  result.private_end = end.broker.private_bytes;
  return result;
}

void Load::add_latencies(PhaseResult& result) const {
  for (const auto& thread : threads_) {
    for (const Histogram& each : thread->latencies()) result.latency.add(each);
    for (const Histogram& each : thread->acknowledgements()) result.acknowledgement.add(each);
  }
  for (std::size_t i = 0; i < result.intervals.size(); ++i) {
    Histogram sum;
    Histogram acknowledged;
    for (const auto& thread : threads_) {
      if (i >= thread->latencies().size()) continue;
      sum.add(thread->latencies()[i]);
      acknowledged.add(thread->acknowledgements()[i]);
    }
    result.intervals[i].p50_ns = sum.at(0.50);
    result.intervals[i].p99_ns = sum.at(0.99);
    result.intervals[i].max_ns = sum.max();
    result.intervals[i].acknowledged_p99_ns = acknowledged.at(0.99);
  }
}

void Load::sample(PhaseResult& result, const Snapshot& begin, Snapshot& last, const std::string& name,
                  Nanoseconds interval) const {
  if (now_ns() - last.time < interval / 2) return;
  const Snapshot now = take_snapshot();
  const double seconds = to_seconds(now.time - last.time);
  IntervalResult& each = result.intervals.emplace_back();
  each.end_s = to_seconds(now.time - begin.time);
  each.published_per_s = static_cast<double>(now.published - last.published) / seconds;
  each.delivered_per_s = static_cast<double>(now.delivered - last.delivered) / seconds;
  each.connected_per_s = static_cast<double>(now.connected - last.connected) / seconds;
  each.subscribed_per_s = static_cast<double>(now.subscribed - last.subscribed) / seconds;
  each.broker_cores = (now.broker.cpu_s - last.broker.cpu_s) / seconds;
  each.resident_bytes = now.broker.resident_bytes;
  for (const auto& thread : threads_) {
    each.p50_ns = std::max(each.p50_ns, thread->counters().live_p50_ns.get());
    each.p99_ns = std::max(each.p99_ns, thread->counters().live_p99_ns.get());
  }
  last = now;
  if (progress_) progress_(name, each);
}

void Load::wait_until_settled(const Running& running, Nanoseconds patience) const {
  std::uint64_t seen = 0;
  for (Nanoseconds moved_at = now_ns(); !running.is_settled() && now_ns() - moved_at < patience;) {
    sleep_until(now_ns() + kPoll);
    const Snapshot now = take_snapshot();
    if (std::exchange(seen, now.bytes_in + now.bytes_out) != now.bytes_in + now.bytes_out)
      moved_at = now_ns();
  }
}

void Load::wait_until_delivered(std::uint64_t total, Nanoseconds patience) const {
  std::uint64_t seen = 0;
  for (Nanoseconds moved_at = now_ns(); now_ns() - moved_at < patience;) {
    const std::uint64_t delivered = sum(&ThreadCounters::delivered);
    if (delivered >= total) return;
    if (std::exchange(seen, delivered) != delivered) moved_at = now_ns();
    sleep_until(now_ns() + kPoll);
  }
}

void Load::verify(PhaseResult& result, const Snapshot& begin, const Snapshot& end, std::uint64_t expected) {
  result.verification = {.expected = expected,
                         .delivered = end.delivered - begin.delivered,
                         .duplicates = end.duplicates - begin.duplicates,
                         .late = end.late - begin.late,
                         .damaged = end.damaged - begin.damaged,
                         .foreign = end.foreign - begin.foreign,
                         .lost_connections = end.lost_connections - begin.lost_connections,
                         .stalls = end.stalls - begin.stalls};
}

}  // namespace nightjar::cli::bench
