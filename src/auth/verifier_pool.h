// A few threads of low priority for what takes long, passwords above all, with a bounded queue. Any thread
// may submit; what is submitted runs on a thread of the pool.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

namespace nightjar::auth {

class VerifierPool {
 public:
  using Job = std::function<void()>;
  using Clock = std::chrono::steady_clock;
  enum class Lane : std::uint8_t {
    kFirst,
    kSuspect  // served while nothing waits in the first one
  };

  // What a job takes: a hash, or next to nothing.
  enum class Cost : std::uint8_t { kHash, kNothing };

  explicit VerifierPool(unsigned threads);
  ~VerifierPool() { stop(); }
  VerifierPool(const VerifierPool&) = delete;
  VerifierPool& operator=(const VerifierPool&) = delete;

  // False: the job was not taken, because the lane is full or the pool was stopped.
  [[nodiscard]] bool submit(Lane lane, Cost cost, Job job);
  // Runs it that much later; at once if too many wait for their time already.
  void submit_after(Clock::duration delay, Job job);

  // One hash takes some 25 ms. Those in the queue need 25 s on one thread, about as long as a CONNECT may
  // take.
  static constexpr std::size_t kFirstMax = 1024;
  static constexpr std::size_t kSuspectMax = 64;
  // Of those that take nothing, in each lane; they keep their place among the others.
  static constexpr std::size_t kCheapMax = 4096;

  // What waits is given up, what runs is waited for, and nothing is taken any more.
  void stop();

  // Half of the cores, at most four: the others serve.
  static unsigned usual_threads();

 private:
  struct Later {
    Clock::time_point due;
    Job job;
    friend bool operator<(const Later& a, const Later& b) { return a.due > b.due; }  // the earliest on top
  };
  static constexpr std::size_t kLaterMax = 4096;

  void run();
  struct Waiting {
    Cost cost;
    Job job;
  };
  struct Queue {
    std::deque<Waiting> jobs;
    std::size_t hashes = 0;  // among them
  };
  Job take_next();  // under the mutex; empty if nothing is due

  std::mutex mutex_;
  std::condition_variable changed_;
  Queue first_;
  Queue suspect_;
  std::priority_queue<Later> later_;
  bool is_stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace nightjar::auth
