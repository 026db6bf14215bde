// What all threads of a load share: how to reach the broker, the streams, and what is counted.
// Streams and settings are made before the threads start; what changes afterwards is atomic or locked.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/short_lock.h"
#include "cli/bench/nanoseconds.h"
#include "cli/bench/plan.h"
#include "cli/bench/sequence_check.h"
#include "cli/bench/window.h"
#include "cli/bench/wire.h"

namespace nightjar::cli::bench {

class LoadThread;
class Publisher;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// An address has ports for some 28 000 connections to one broker. Where the broker is on this machine,
// further clients come from further addresses of the loopback network; elsewhere the kernel chooses.
std::optional<sockaddr_in> source_address(const Address& broker, std::uint64_t client);

struct LoadSettings {
  Address broker;
  mqtt::Version version = mqtt::Version::k311;
  std::size_t payload_bytes = 64;
  std::string user_name;
  std::string password;
  std::uint16_t keep_alive_s = 0;
  WireSettings wire;
  unsigned threads = 1;
};

// Written by one thread, read by any.
class Counter {
 public:
  void add(std::uint64_t count) { value_.store(get() + count, std::memory_order_relaxed); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Of one thread, since it was made.
struct alignas(64) ThreadCounters {
  Counter connected;
  Counter refused;     // connections that failed or were refused
  Counter subscribed;  // filters
  Counter published;
  Counter acknowledged;  // publishes at QoS 1 and 2
  Counter delivered;     // without duplicates
  Counter duplicates;
  Counter late;     // after a message of the same stream that was sent after it
  Counter damaged;  // the identity is right, the rest of the payload is not
  Counter foreign;  // not of this run, not for this client, or not readable
  Counter bytes_in;
  Counter bytes_out;
  Counter lost_connections;
  Counter resumed;      // sessions of TLS
  Counter tls_ns;       // CPU time of this tool's own end of TLS
  Counter stalls;       // times that a window was given up
  Counter live_p50_ns;  // of the last whole interval
  Counter live_p99_ns;
  Counter last_arrival;  // Nanoseconds
};

// A stream while it runs.
struct Stream {
  explicit Stream(const StreamPlan& stream_plan)
      : plan(stream_plan), window(stream_plan.window, stream_plan.receivers, stream_plan.spread) {}

  const StreamPlan& plan;
  Window window;
  LoadThread* thread = nullptr;  // of its publisher
  Publisher* publisher = nullptr;
  ShortLock lock;     // of `taken`
  SequenceSet taken;  // with Spread::kOne
};

struct Traffic {
  Traffic(const Plan& load_plan, LoadSettings load_settings);

  const Plan& plan;
  LoadSettings settings;
  std::vector<std::unique_ptr<Stream>> streams;
  std::vector<std::byte> pattern;  // of a payload
  std::uint32_t run = 0;           // number of this run, in the check word of every message
  std::atomic<bool> is_stopping{false};

  // The first thing that went wrong, for people.
  void report(std::string problem);
  std::string problem();
  // Version and suite of TLS, which are those of all connections.
  void note_tls_suite(const net::TlsClientStream& tls);
  std::string tls_suite();

 private:
  ShortLock lock_;
  std::string problem_;
  std::string tls_suite_;
  std::atomic<bool> has_tls_suite_{false};
};

}  // namespace nightjar::cli::bench
