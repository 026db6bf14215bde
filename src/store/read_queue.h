// Reads of workers, served one after the other on a thread of their own, so that no worker waits for the
// disk. Any thread may push.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "broker/ports.h"

namespace nightjar::store {

struct ReadRequest {
  broker::WorkerIndex asker;
  broker::Table table = broker::Table::kMeta;
  std::string from;
  std::string to;
  std::size_t bytes_max = 0;
  broker::ReadDone then;
};

class ReadQueue {
 public:
  // `serve` is called on the queue's thread.
  using Serve = std::function<Result<broker::StoredEntries>(const ReadRequest&)>;
  ReadQueue(broker::Peers& peers, Serve serve);
  // What was not begun is forgotten.
  ~ReadQueue();
  ReadQueue(const ReadQueue&) = delete;
  ReadQueue& operator=(const ReadQueue&) = delete;

  void push(ReadRequest request);

 private:
  void run();

  broker::Peers& peers_;
  const Serve serve_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ReadRequest> waiting_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace nightjar::store
