#include "auth/verifier_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace nightjar::auth {

unsigned VerifierPool::usual_threads() { return std::clamp(std::thread::hardware_concurrency() / 2, 1U, 4U); }

VerifierPool::VerifierPool(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void VerifierPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool VerifierPool::submit(Lane lane, Cost cost, Job job) {
  {
    const std::lock_guard lock(mutex_);
    Queue& queue = lane == Lane::kFirst ? first_ : suspect_;
    const std::size_t cheap = queue.jobs.size() - queue.hashes;
    const bool is_full = cost == Cost::kNothing
                             ? cheap >= kCheapMax
                             : queue.hashes >= (lane == Lane::kFirst ? kFirstMax : kSuspectMax);
    if (is_stopped_ || is_full) return false;
    queue.hashes += cost == Cost::kHash ? 1U : 0U;
    queue.jobs.push_back({cost, std::move(job)});
  }
  changed_.notify_one();
  return true;
}

void VerifierPool::submit_after(Clock::duration delay, Job job) {
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    later_.push({later_.size() < kLaterMax ? now + delay : now, std::move(job)});
  }
  changed_.notify_one();
}

VerifierPool::Job VerifierPool::take_next() {
  Job job;
  if (!later_.empty() && later_.top().due <= Clock::now()) {
    job = later_.top().job;
    later_.pop();
    return job;
  }
  Queue& queue = first_.jobs.empty() ? suspect_ : first_;
  if (queue.jobs.empty()) return job;
  queue.hashes -= queue.jobs.front().cost == Cost::kHash ? 1U : 0U;
  job = std::move(queue.jobs.front().job);
  queue.jobs.pop_front();
  return job;
}

void VerifierPool::run() {
  // Of this thread only: Linux counts threads here. Who serves comes first.
  constexpr int kNiceness = 5;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness);
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    if (const Job job = take_next()) {
      lock.unlock();
      job();
      lock.lock();
    } else if (later_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, later_.top().due);
    }
  }
}

}  // namespace nightjar::auth
