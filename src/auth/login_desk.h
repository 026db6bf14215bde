// Decides about user names with passwords. What it has seen is answered at once, guessing is refused at once,
// the rest is verified by a pool of threads and answered later, on the worker that asked. Any worker asks;
// nothing here blocks it longer than a look into a table.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/guesses.h"
#include "auth/password_file.h"
#include "auth/recent_map.h"
#include "auth/verifier_pool.h"
#include "auth/verify_times.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "broker/ids.h"

namespace nightjar::auth {

enum class LoginAnswer : std::uint8_t { kRight, kWrong, kTooManyFailures, kBusy };

class LoginDesk {
 public:
  // Runs the task in a turn of the worker.
  using Post = std::function<void(broker::WorkerIndex, std::function<void()>)>;
  using Done = std::function<void(LoginAnswer)>;

  // Both outlive the desk.
  LoginDesk(const Clock& clock, Post post, unsigned threads);
  LoginDesk(const LoginDesk&) = delete;
  LoginDesk& operator=(const LoginDesk&) = delete;

  struct Question {
    std::shared_ptr<const PasswordTable> table;
    std::string_view user{};
    ByteView password{};
    std::string_view peer{};
    broker::WorkerIndex worker{};
  };

 private:
  struct Check;
  struct Pending {
    Done done;  // of the worker that asked, and touched by it only
  };

 public:
  // A question that waits. By the worker that asked; destroying it takes the question back.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&&) = default;
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket();

   private:
    friend class LoginDesk;
    std::shared_ptr<Pending> pending_;
    std::shared_ptr<Check> check_;
  };

  // The answer, or a ticket, and `done` is called later.
  std::optional<LoginAnswer> ask(const Question& question, Done done, std::unique_ptr<Ticket>& ticket);

  // No worker runs any more: ends the pool. What waits is never answered.
  void stop() { pool_.stop(); }

 private:
  // A keyed hash of user, password and what the file says: of no use to who sees the memory, and another one
  // as soon as the file says something else.
  using Credentials = std::array<std::uint64_t, 2>;
  struct FirstWord {
    std::size_t operator()(const Credentials& credentials) const { return credentials[0]; }
  };
  struct Nothing {};
  using CredentialSet = RecentMap<Credentials, Nothing, FirstWord>;

  [[nodiscard]] Credentials credentials_of(const Question& question, const PasswordHash* hash) const;
  void verify(const std::shared_ptr<Check>& check);
  void settle(Check& check, bool is_right);
  bool is_wanted(const Check& check);

  static constexpr std::size_t kVerifiedMax = 131'072;
  static constexpr std::size_t kWrongMax = 16'384;

  const Clock& clock_;
  const Post post_;
  const std::array<unsigned char, 32> key_;
  std::array<VerifyTimes, 4> times_;  // by HashKind
  std::mutex mutex_;                  // for what follows, and held for a look or a change of it
  CredentialSet verified_{kVerifiedMax};
  CredentialSet wrong_{kWrongMax};
  Guesses guesses_;
  boost::unordered_flat_map<Credentials, std::shared_ptr<Check>, FirstWord> checks_;  // not settled
  VerifierPool pool_;  // last: its threads use the rest
};

}  // namespace nightjar::auth
