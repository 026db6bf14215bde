// One thread of a load: an epoll loop of its own over its share of the clients. Made and read by the thread
// that controls the load, between jobs; run() and what it calls belong to the thread itself.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/histogram.h"
#include "base/short_lock.h"
#include "cli/bench/client.h"
#include "cli/bench/publisher.h"
#include "cli/bench/schedule.h"
#include "cli/bench/traffic.h"

namespace nightjar::cli::bench {

// What the threads do next; each does its share.
struct Job {
  enum class Kind : std::uint8_t { kConnect, kSubscribe, kPublish, kListen, kDisconnect };
  Kind kind = Kind::kListen;
  Range clients;
  double rate = 0;  // connects, or messages of all publishers, a second; 0: as fast as possible
  Nanoseconds begin = 0;
  Nanoseconds ramp = 0;
  Nanoseconds publish_until = 0;
  std::uint64_t messages_per_stream = UINT64_MAX;
  bool cleans_sessions = false;  // when connecting, whatever the plan says
  unsigned dialing_max = 100;    // connects under way at a time
  // Latency is kept of what was sent in this span, one histogram for each interval.
  Nanoseconds measure_begin = 0;
  Nanoseconds measure_end = 0;
  Nanoseconds interval = kSecond;
};

// One recv takes at most this much.
inline constexpr std::size_t kReadBytes = 256 * 1024;
// Packets up to this size are gathered; of larger ones only the head is.
inline constexpr std::size_t kGatheredBytes = 64 * 1024;

class LoadThread {
 public:
  LoadThread(Traffic& traffic, unsigned index);
  LoadThread(const LoadThread&) = delete;
  LoadThread& operator=(const LoadThread&) = delete;
  ~LoadThread();

  // Takes those clients of the plan that belong to this thread.
  void make_clients();
  void prepare(const Job& job);
  // Until the traffic is stopping.
  void run();
  // Any thread.
  void wake();

  // Everything that this thread's part of the job began has ended (not for kPublish and kListen).
  [[nodiscard]] bool is_done() const { return is_done_.load(std::memory_order_acquire); }
  // No publisher of this thread has a message left to send, or one unacknowledged.
  [[nodiscard]] bool is_settled() const { return is_settled_.load(std::memory_order_acquire); }
  [[nodiscard]] const ThreadCounters& counters() const { return counters_; }
  // By interval of the job's measured span; the last one also has what came after it.
  [[nodiscard]] const std::vector<Histogram>& latencies() const { return latencies_; }
  // Likewise, from sending to the acknowledgement that ends it.
  [[nodiscard]] const std::vector<Histogram>& acknowledgements() const { return acknowledgements_; }

  // ---- for Client ----
  Traffic& traffic() { return traffic_; }
  ThreadCounters& count() { return counters_; }
  [[nodiscard]] bool cleans_sessions() const { return job_.cleans_sessions; }
  [[nodiscard]] Nanoseconds now() const { return now_; }
  std::byte* read_buffer() { return read_buffer_.get(); }
  ByteBuffer& replies() { return replies_; }
  // Where what came lies until TLS has made plain bytes of it.
  std::byte* record_buffer();
  // Packets in what carries them, on their way to the socket.
  ByteBuffer& wrapped() { return wrapped_; }
  bool watch(int fd, Client& client);
  // dial() is called again in a later turn.
  void dial_later(Client& client) { undialed_.push_back(&client); }
  void on_connected(Nanoseconds dialed_at);
  void on_refused();
  void on_lost();
  void on_subscribed();
  // Its socket may hold more: receive() is called again in the next turn.
  void read_again(Client& client);
  void on_acknowledged(Nanoseconds sent_at);
  void on_message(SequenceTrack& track, const Identity& identity);
  void begin_messages() { ++receives_; }
  // After the last on_message of what was received at once.
  void end_messages();
  void list(Publisher& publisher);
  // From another thread.
  void list_remotely(Publisher& publisher);

 private:
  // Messages of one stream and one time that arrived together, counted before they are booked.
  struct Run {
    Stream* stream = nullptr;
    SequenceTrack* track = nullptr;
    std::uint32_t number = kNoStream;
    std::uint64_t before = 0;
    std::uint64_t delivered = 0;
    Nanoseconds time = 0;
    std::uint64_t same_time = 0;
  };

  void start_more();
  void start_connects();
  void ping_due();
  void start_publishing();
  void publish_due();
  void wait();
  void pump_listed();
  void take_remote_list();
  void flush_run();
  void record_latency();
  void choose_interval();
  void watch_progress();
  void watch_arrivals();
  void update_state();
  [[nodiscard]] std::optional<Nanoseconds> next_due() const;

  Traffic& traffic_;
  unsigned index_;
  net::Fd epoll_;
  net::Fd wakeup_;
  std::unique_ptr<std::byte[]> read_buffer_;
  ByteBuffer replies_;
  std::unique_ptr<std::byte[]> record_buffer_;
  ByteBuffer wrapped_;
  ByteBuffer scratch_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::uint64_t> numbers_;  // of clients_, in the plan
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::uint64_t receivers_ = 0;  // among clients_
  std::vector<Publisher*> listed_;
  std::vector<Client*> unread_;  // whose socket may hold more than was taken this turn
  std::vector<Client*> undialed_;
  ShortLock remote_lock_;
  std::vector<Publisher*> remote_;

  Job job_;
  Nanoseconds now_ = 0;
  std::vector<Client*> job_clients_;
  std::vector<Publisher*> job_publishers_;
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::optional<Schedule> schedule_;
  std::uint64_t next_index_ = 0;
  bool is_publishing_ = false;
  std::atomic<bool> is_done_{false};
  std::atomic<bool> is_settled_{true};

  std::size_t next_ping_ = 0;  // of clients_
  Nanoseconds ping_at_ = 0;

  Run run_;
  std::vector<Histogram> latencies_;
  std::vector<Histogram> acknowledgements_;
  Histogram* latency_ = nullptr;
  std::size_t interval_ = 0;
  Nanoseconds interval_end_ = 0;
  Nanoseconds progress_at_ = 0;
  // Whether arrivals are many and small is found out again and again.
  Nanoseconds arrivals_since_ = 0;
  std::uint64_t arrivals_before_ = 0;
  std::uint64_t receives_ = 0;
  Nanoseconds nap_ = 0;
  ThreadCounters counters_;
};

}  // namespace nightjar::cli::bench
