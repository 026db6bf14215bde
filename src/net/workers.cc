#include "net/workers.h"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace nightjar::net {
namespace {

// How often a drain asks the workers whether their last connection is closed.
constexpr std::chrono::milliseconds kQuietPoll{20};

}  // namespace

Workers::Workers(broker::Node& node, MailRoom& mail) : node_(node), mail_(mail) {
  for (std::uint16_t i = 0; i < node.worker_count(); ++i) {
    loops_.push_back(std::make_unique<WorkerLoop>(node, broker::WorkerIndex{i}, mail));
  }
}

Workers::~Workers() {
  stop();
  // Mail that nobody will read may hold connections, and those go before the workers they came from.
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    mail_.mailbox({i}).take([](std::unique_ptr<broker::MailBatch>) {});
  }
}

Result<Address, BindError> Workers::listen(const Address& address, const broker::ListenerPolicy& policy,
                                           FilterFactory filter) {
  auto endpoint = std::make_unique<Endpoint>(Endpoint{address, &policy, std::move(filter)});
  NJ_TRY(std::vector<Fd> sockets, bind_sockets(endpoint->address, node_.worker_count()));
  for (std::size_t i = 0; i < loops_.size(); ++i)
    loops_[i]->listen(*endpoint, std::move(sockets[i]), shortage_);
  endpoints_.push_back(std::move(endpoint));
  return endpoints_.back()->address;
}

void Workers::start() {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    threads_.emplace_back([loop = loops_[i].get()] { loop->run(); });
    pthread_setname_np(threads_.back().native_handle(), ("worker " + std::to_string(i)).c_str());
  }
}

void Workers::begin_drain() {
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    mail_.run_on({i}, [loop = loops_[i].get()](broker::Worker&) { loop->drain(); });
  }
}

bool Workers::wait_until_quiet(Duration longest) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(longest.ms);
  // Shared, because a worker may answer after this call gave up.
  struct Answers {
    std::mutex mutex;
    std::condition_variable all_in;
    std::size_t awaited = 0;
    bool all_quiet = true;
  };
  for (;;) {
    auto answers = std::make_shared<Answers>();
    answers->awaited = loops_.size();
    for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
      mail_.run_on({i}, [answers, loop = loops_[i].get()](broker::Worker&) {
        const std::lock_guard lock(answers->mutex);
        answers->all_quiet = answers->all_quiet && loop->is_quiet();
        if (--answers->awaited == 0) answers->all_in.notify_all();
      });
    }
    std::unique_lock lock(answers->mutex);
    if (!answers->all_in.wait_until(lock, deadline, [&] { return answers->awaited == 0; })) return false;
    if (answers->all_quiet) return true;
    if (std::chrono::steady_clock::now() + kQuietPoll >= deadline) return false;
    lock.unlock();
    std::this_thread::sleep_for(kQuietPoll);
  }
}

void Workers::stop() {
  for (const auto& loop : loops_) loop->request_stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace nightjar::net
