// A disturbance beside a measured load, at a rate of its own: clients on a thread of their own, so that the
// load generator is not what they disturb. Owned by the thread that measures.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/bench/options.h"
#include "cli/bench/plain_client.h"

namespace nightjar::cli::bench {

class Beside {
 public:
  // Nothing if the options ask for none.
  static Result<std::unique_ptr<Beside>> start(const BenchOptions& options);
  ~Beside();
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;

  // Ends it. How much was done, by name.
  std::vector<std::pair<std::string, double>> stop();

 private:
  enum class Kind : std::uint8_t { kAll, kStalled, kBomb, kChurn };
  struct Peer {
    PlainClient client;
    ByteBuffer unsent;
    std::uint64_t received_bytes = 0;
  };

  Beside(Kind kind, const BenchOptions& options);
  void run();
  void act(std::uint64_t number);
  void move_bytes(Peer& peer, bool reads);

  Kind kind_;
  BenchOptions options_;
  Peer actor_;     // publishes or subscribes at the rate
  Peer listener_;  // with kAll and kStalled
  bool has_listener_;
  std::uint64_t done_ = 0;
  std::uint64_t skipped_ = 0;  // the broker took no more
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace nightjar::cli::bench
