#include "cli/bench/load_thread.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace nightjar::cli::bench {
namespace {

constexpr std::size_t kEventsPerTurn = 512;
// How long a turn may wait without a reason to wake: the bound on noticing the end of a job.
constexpr Nanoseconds kIdleWait = 50 * kMillisecond;
// A window from which nothing came back for so long is lost; the flood goes on with a new one.
constexpr Nanoseconds kStall = 2 * kSecond;
constexpr Nanoseconds kStallCheck = 250 * kMillisecond;
// A broker that writes each message by itself would have this thread read each by itself. While plenty is
// under way a flood looks less often, and takes what has come meanwhile at once: arrivals a read at which
// this begins and ends, how often it is decided, and the longest pause.
constexpr std::uint64_t kFewArrivals = 8;
constexpr std::uint64_t kManyArrivals = 64;
constexpr Nanoseconds kArrivalsSpan = 20 * kMillisecond;
constexpr Nanoseconds kNapMax = 10 * kMillisecond;
// So much of what is under way may arrive in a pause, and so much for each receiver: brokers have 20 messages
// in flight to each, and must not wait for acknowledgements.
constexpr std::uint64_t kPartOfUnderWay = 16;
constexpr std::uint64_t kPerReceiver = 4;

}  // namespace

LoadThread::LoadThread(Traffic& traffic, unsigned index)
    : traffic_(traffic),
      index_(index),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      read_buffer_(new std::byte[kGatheredBytes + kReadBytes + Wire::kHeldBytesMax]) {
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event);
}

LoadThread::~LoadThread() = default;

void LoadThread::make_clients() {
  const std::vector<ClientPlan>& plans = traffic_.plan.clients;
  for (std::uint64_t i = 0; i < plans.size(); ++i) {
    const ClientPlan& plan = plans[i];
    if (plan.thread % traffic_.settings.threads != index_) continue;
    clients_.push_back(std::make_unique<Client>(*this, plan, i));
    if (plan.sources.count != 0) ++receivers_;
    numbers_.push_back(i);
    if (plan.stream == kNoStream) continue;
    publishers_.push_back(std::make_unique<Publisher>(traffic_, plan.stream, *clients_.back()));
    clients_.back()->set_publisher(publishers_.back().get());
    Stream& stream = *traffic_.streams[plan.stream];
    stream.thread = this;
    stream.publisher = publishers_.back().get();
  }
}

// ---- jobs ----

void LoadThread::prepare(const Job& job) {
  job_ = job;
  job_clients_.clear();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (numbers_[i] - job.clients.first < job.clients.count) job_clients_.push_back(clients_[i].get());
  }
  started_ = ended_ = 0;
  schedule_.reset();
  next_index_ = 0;
  is_publishing_ = job.kind == Job::Kind::kPublish;
  is_done_.store(false, std::memory_order_relaxed);
  is_settled_.store(!is_publishing_, std::memory_order_relaxed);
  const Nanoseconds span = std::max<Nanoseconds>(job.measure_end - job.measure_begin, 0);
  latencies_.assign(static_cast<std::size_t>(span / job.interval) + 1, Histogram{});
  acknowledgements_ = latencies_;
  interval_ = 0;
  interval_end_ = job.measure_begin + job.interval;
  latency_ = &latencies_.front();
  progress_at_ = arrivals_since_ = now_ns();
  nap_ = 0;
  for (auto& publisher : publishers_) publisher->stop();
}

void LoadThread::run() {
  prctl(PR_SET_TIMERSLACK, 1);  // the default of 50 µs would show in every paced latency
  now_ = now_ns();
  while (!traffic_.is_stopping.load(std::memory_order_relaxed)) {
    start_more();
    if (traffic_.settings.keep_alive_s != 0) ping_due();
    pump_listed();
    update_state();
    wait();
  }
}

void LoadThread::start_more() {
  switch (job_.kind) {
    case Job::Kind::kConnect:
      return start_connects();
    case Job::Kind::kSubscribe:
      while (started_ < job_clients_.size() && started_ - ended_ < job_.dialing_max) {
        job_clients_[started_++]->subscribe();
      }
      return;
    case Job::Kind::kDisconnect:
      for (; started_ < job_clients_.size(); ++started_, ++ended_) job_clients_[started_]->disconnect();
      return;
    case Job::Kind::kPublish:
      if (started_ == 0) start_publishing();
      return publish_due();
    case Job::Kind::kListen:
      return;
  }
}

// One client after the other, so that each is heard of in time and they do not all speak at once.
void LoadThread::ping_due() {
  if (now_ < ping_at_ || clients_.empty()) return;
  clients_[next_ping_]->ping();
  next_ping_ = (next_ping_ + 1) % clients_.size();
  ping_at_ = now_ + traffic_.settings.keep_alive_s * kSecond / 2 / static_cast<Nanoseconds>(clients_.size());
}

void LoadThread::start_connects() {
  for (Client* const client : std::exchange(undialed_, {})) client->dial();
  if (!schedule_ && job_.rate > 0) schedule_.emplace(job_.begin, job_.rate / traffic_.settings.threads, 0);
  while (started_ < job_clients_.size() && started_ - ended_ < job_.dialing_max) {
    if (schedule_ && schedule_->due(started_) > now_) return;
    job_clients_[started_++]->dial();
  }
}

void LoadThread::start_publishing() {
  started_ = 1;
  job_publishers_.clear();
  for (Client* client : job_clients_) {
    if (client->publisher() != nullptr) job_publishers_.push_back(client->publisher());
  }
  if (job_.rate > 0 && !job_publishers_.empty()) {
    const auto own = static_cast<double>(job_publishers_.size());
    const auto all = static_cast<double>(traffic_.plan.streams.size());
    schedule_.emplace(job_.begin + from_seconds(index_ / job_.rate), job_.rate * own / all, job_.ramp);
  }
  for (std::size_t i = 0; i < job_publishers_.size(); ++i) {
    Publisher& publisher = *job_publishers_[i];
    if (schedule_) {
      publisher.follow(*schedule_, i, job_publishers_.size());
    } else {
      publisher.flood(job_.messages_per_stream);
      list(publisher);
    }
  }
}

void LoadThread::publish_due() {
  if (now_ >= job_.publish_until && std::exchange(is_publishing_, false) && !schedule_) {
    for (Publisher* publisher : job_publishers_) publisher->stop();
  }
  if (!schedule_) return;
  const std::uint64_t count = job_publishers_.size();
  const std::uint64_t last =
      job_.messages_per_stream > UINT64_MAX / count ? UINT64_MAX : job_.messages_per_stream * count;
  for (; next_index_ < last; ++next_index_) {
    const Nanoseconds due = schedule_->due(next_index_);
    if (due > now_ || due >= job_.publish_until) break;
    Publisher& publisher = *job_publishers_[next_index_ % count];
    publisher.add_due();
    list(publisher);
  }
  if (next_index_ == last) is_publishing_ = false;
}

std::optional<Nanoseconds> LoadThread::next_due() const {
  if (!schedule_) return std::nullopt;
  if (job_.kind == Job::Kind::kConnect) {
    if (started_ == job_clients_.size() || started_ - ended_ >= job_.dialing_max) return std::nullopt;
    return schedule_->due(started_);
  }
  const Nanoseconds due = schedule_->due(next_index_);
  if (!is_publishing_ || due >= job_.publish_until) return std::nullopt;
  return due;
}

void LoadThread::update_state() {
  if (job_.kind != Job::Kind::kPublish) {
    if (ended_ == job_clients_.size()) is_done_.store(true, std::memory_order_release);
    return;
  }
  watch_progress();
  watch_arrivals();
  bool is_settled = started_ != 0 && (!is_publishing_ || !schedule_);
  for (std::size_t i = 0; is_settled && i < job_publishers_.size(); ++i) {
    const Publisher& publisher = *job_publishers_[i];
    is_settled = publisher.is_finished();
  }
  is_settled_.store(is_settled, std::memory_order_release);
}

void LoadThread::watch_progress() {
  if (now_ - progress_at_ < kStallCheck) return;
  progress_at_ = now_;
  for (Publisher* publisher : job_publishers_) {
    if (!publisher->is_stalled(now_, kStall)) continue;
    publisher->stream().window.give_up(publisher->sent());
    counters_.stalls.add(1);
    list(*publisher);
  }
}

void LoadThread::watch_arrivals() {
  const Nanoseconds span = now_ - arrivals_since_;
  if (span < kArrivalsSpan) return;
  const std::uint64_t arrivals = counters_.delivered.get() + counters_.acknowledged.get();
  const std::uint64_t arrived = arrivals - std::exchange(arrivals_before_, arrivals);
  const std::uint64_t per_receive = arrived / std::max<std::uint64_t>(1, std::exchange(receives_, 0));
  arrivals_since_ = now_;
  const bool is_flood = is_publishing_ && !schedule_;
  if (!is_flood || arrived == 0 || per_receive > (nap_ == 0 ? kFewArrivals : kManyArrivals)) {
    nap_ = 0;
    return;
  }
  std::uint64_t wanted = 0;
  bool is_acknowledged = false;
  for (const Publisher* publisher : job_publishers_) {
    wanted += publisher->under_way();
    is_acknowledged |= publisher->stream().plan.qos != mqtt::Qos::kAtMostOnce;
  }
  wanted /= kPartOfUnderWay;
  if (is_acknowledged) wanted = std::min(wanted, kPerReceiver * receivers_);
  const double arrivals_per_ns = static_cast<double>(arrived) / static_cast<double>(span);
  nap_ = std::min(kNapMax, static_cast<Nanoseconds>(static_cast<double>(wanted) / arrivals_per_ns));
}

// ---- the loop ----

void LoadThread::wait() {
  Nanoseconds timeout = kIdleWait;
  if (const auto due = next_due()) timeout = std::clamp<Nanoseconds>(*due - now_, 0, kIdleWait);
  if (is_publishing_) timeout = std::clamp<Nanoseconds>(job_.publish_until - now_, 0, timeout);
  if (ping_at_ != 0) timeout = std::clamp<Nanoseconds>(ping_at_ - now_, 0, timeout);
  if (!undialed_.empty()) timeout = std::min(timeout, kMillisecond);
  if (!unread_.empty() || !listed_.empty()) timeout = 0;
  if (nap_ != 0 && is_publishing_) {
    const timespec nap{.tv_sec = 0, .tv_nsec = nap_};
    nanosleep(&nap, nullptr);
  }
  std::array<epoll_event, kEventsPerTurn> events;
  const timespec wait{.tv_sec = timeout / kSecond, .tv_nsec = timeout % kSecond};
  const int count =
      epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &wait, nullptr);
  now_ = now_ns();
  choose_interval();
  const std::vector<Client*> unread = std::exchange(unread_, {});
  for (Client* client : unread) {
    if (client->receive()) unread_.push_back(client);
  }
  for (int i = 0; i < count; ++i) {
    if (events[static_cast<std::size_t>(i)].data.ptr == nullptr) {
      take_remote_list();
    } else {
      auto* client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      client->on_events(events[static_cast<std::size_t>(i)].events);
    }
  }
}

bool LoadThread::watch(int fd, Client& client) {
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = &client}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void LoadThread::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wakeup_.get(), &one, sizeof one);
}

std::byte* LoadThread::record_buffer() {
  if (!record_buffer_) record_buffer_.reset(new std::byte[kReadBytes]);
  return record_buffer_.get();
}

void LoadThread::read_again(Client& client) { unread_.push_back(&client); }

void LoadThread::list(Publisher& publisher) {
  if (std::exchange(publisher.is_listed, true)) return;
  listed_.push_back(&publisher);
}

void LoadThread::list_remotely(Publisher& publisher) {
  {
    const std::lock_guard guard(remote_lock_);
    remote_.push_back(&publisher);
  }
  wake();
}

void LoadThread::take_remote_list() {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t taken = read(wakeup_.get(), &ignored, sizeof ignored);
  const std::lock_guard guard(remote_lock_);
  for (Publisher* publisher : remote_) list(*publisher);
  remote_.clear();
}

void LoadThread::pump_listed() {
  if (listed_.empty()) return;
  // A pump may list somebody else.
  for (std::size_t i = 0; i != listed_.size();) {
    Publisher& publisher = *listed_[i++];
    publisher.is_listed = false;
    publisher.pump(scratch_, now_, counters_);
  }
  listed_.clear();
}

// ---- what clients report ----

void LoadThread::on_connected(Nanoseconds dialed_at) {
  counters_.connected.add(1);
  if (job_.kind != Job::Kind::kConnect) return;
  ++ended_;
  latency_->record(static_cast<std::uint64_t>(std::max<Nanoseconds>(now_ - dialed_at, 0)));
}

void LoadThread::on_refused() {
  counters_.refused.add(1);
  if (job_.kind == Job::Kind::kConnect) ++ended_;
}

void LoadThread::on_lost() {
  counters_.refused.add(1);
  if (job_.kind == Job::Kind::kSubscribe) ++ended_;
}

void LoadThread::on_subscribed() {
  if (job_.kind == Job::Kind::kSubscribe) ++ended_;
}

void LoadThread::on_acknowledged(Nanoseconds sent_at) {
  counters_.acknowledged.add(1);
  if (sent_at < job_.measure_begin || sent_at >= job_.measure_end) return;
  acknowledgements_[interval_].record(static_cast<std::uint64_t>(std::max<Nanoseconds>(now_ - sent_at, 0)));
}

void LoadThread::on_message(SequenceTrack& track, const Identity& identity) {
  if (run_.number != identity.stream || run_.track != &track) {
    flush_run();
    run_ = {.stream = traffic_.streams[identity.stream].get(),
            .track = &track,
            .number = identity.stream,
            .before = track.next(),
            .time = identity.time};
  }
  if (run_.time != identity.time) {
    record_latency();
    run_.time = identity.time;
  }
  Arrival arrival = Arrival::kInOrder;
  if (!run_.stream->plan.is_ordered) {
    arrival = track.take_unordered(identity.sequence);
  } else if (run_.stream->plan.spread == Spread::kEach) {
    arrival = track.take(identity.sequence);
  } else {
    const std::lock_guard guard(run_.stream->lock);
    arrival = !run_.stream->taken.insert(identity.sequence) ? Arrival::kDuplicate
              : track.advance_to(identity.sequence)         ? Arrival::kInOrder
                                                            : Arrival::kLate;
  }
  if (arrival == Arrival::kDuplicate) return counters_.duplicates.add(1);
  if (arrival == Arrival::kLate) counters_.late.add(1);
  ++run_.delivered;
  ++run_.same_time;
}

void LoadThread::record_latency() {
  if (run_.same_time != 0 && run_.time >= job_.measure_begin && run_.time < job_.measure_end) {
    latency_->record(static_cast<std::uint64_t>(std::max<Nanoseconds>(now_ - run_.time, 0)), run_.same_time);
  }
  run_.same_time = 0;
}

void LoadThread::flush_run() {
  if (run_.stream == nullptr) return;
  record_latency();
  counters_.delivered.add(run_.delivered);
  Stream& stream = *run_.stream;
  const bool has_room = stream.plan.spread == Spread::kEach
                            ? stream.window.advance(run_.before, run_.track->next())
                            : stream.window.add(run_.delivered);
  run_ = {};
  if (!has_room || stream.publisher == nullptr) return;
  if (stream.thread == this) {
    list(*stream.publisher);
  } else {
    stream.thread->list_remotely(*stream.publisher);
  }
}

void LoadThread::end_messages() {
  flush_run();
  counters_.last_arrival.set(static_cast<std::uint64_t>(now_));
}

void LoadThread::choose_interval() {
  if (now_ < interval_end_ || interval_ + 1 >= latencies_.size()) return;
  counters_.live_p50_ns.set(latency_->at(0.50));
  counters_.live_p99_ns.set(latency_->at(0.99));
  const auto reached = static_cast<std::size_t>((now_ - job_.measure_begin) / job_.interval);
  interval_ = std::min(reached, latencies_.size() - 1);
  latency_ = &latencies_[interval_];
  interval_end_ = job_.measure_begin + static_cast<Nanoseconds>(interval_ + 1) * job_.interval;
}

}  // namespace nightjar::cli::bench
