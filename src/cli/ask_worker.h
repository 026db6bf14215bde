// A question to one worker, answered on its thread between two events. Used by threads that are no worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "broker/worker.h"
#include "net/mail_room.h"

namespace nightjar::cli {

// How long a worker may take before the answer is given up; workers answer within a turn.
inline constexpr Duration kWorkerPatience = Duration::seconds(3);

// The answer that is on its way. It may still arrive after everybody stopped waiting for it.
template <typename Answer>
class Asked {
 public:
  explicit Asked(std::future<Answer> future) : future_(std::move(future)) {}
  // Nothing if the worker did not answer in time.
  std::optional<Answer> wait() {
    if (future_.wait_for(std::chrono::milliseconds(kWorkerPatience.ms)) != std::future_status::ready) {
      return std::nullopt;
    }
    return future_.get();
  }

 private:
  std::future<Answer> future_;
};

// `question` takes a broker::Worker& and outlives this call, so it holds copies of what it needs.
template <typename Question>
auto ask_worker(net::MailRoom& mail, broker::WorkerIndex worker, Question question) {
  using Answer = decltype(question(std::declval<broker::Worker&>()));
  auto promise = std::make_shared<std::promise<Answer>>();
  Asked<Answer> asked(promise->get_future());
  mail.run_on(worker, [promise, question = std::move(question)](broker::Worker& asked_worker) {
    promise->set_value(question(asked_worker));
  });
  return asked;
}

// A task for all of them; false if one of them did not do it in time.
template <typename Question>
bool on_each_worker(net::MailRoom& mail, const Question& question) {
  std::vector<Asked<bool>> asked;
  for (std::uint16_t i = 0; i < mail.workers(); ++i) {
    asked.push_back(ask_worker(mail, broker::WorkerIndex{i}, [question](broker::Worker& worker) {
      question(worker);
      return true;
    }));
  }
  bool have_all = true;
  for (auto& answer : asked) have_all = answer.wait().has_value() && have_all;
  return have_all;
}

}  // namespace nightjar::cli
