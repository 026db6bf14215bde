#include "auth/login_desk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/world.h"

namespace nightjar::auth {
namespace {

// One worker, whose turns the test runs.
class Worker {
 public:
  LoginDesk::Post post() {
    return [this](broker::WorkerIndex, std::function<void()> task) {
      {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
      }
      changed_.notify_all();
    };
  }
  // False if nothing came; the bound is for a hang only.
  bool run_one() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [this] { return !tasks_.empty(); })) return false;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
};

std::shared_ptr<const PasswordTable> table_of(const std::vector<std::string>& users, HashKind kind,
                                              std::string_view password = "secret") {
  std::string text;
  for (const std::string& user : users) text += user + ":" + *hash_password(kind, password, 1000) + "\n";
  return std::make_shared<const PasswordTable>(*PasswordTable::parse(text, "passwords"));
}

struct Desk {
  explicit Desk(HashKind kind = HashKind::kSha512, const std::vector<std::string>& users = {"ann", "bob"})
      : table(table_of(users, kind)) {}

  struct Asked {
    std::optional<LoginAnswer> answer;  // at once
    std::optional<LoginAnswer> later;
    std::unique_ptr<LoginDesk::Ticket> ticket;
  };
  std::unique_ptr<Asked> ask(std::string_view user, std::string_view password,
                             std::string_view peer = "192.0.2.1:1000") {
    auto asked = std::make_unique<Asked>();
    asked->answer = desk.ask(
        {.table = table, .user = user, .password = as_bytes(password), .peer = peer},
        [into = asked.get()](LoginAnswer given) { into->later = given; }, asked->ticket);
    return asked;
  }
  // Waits for the pool if need be.
  LoginAnswer login(std::string_view user, std::string_view password,
                    std::string_view peer = "192.0.2.1:1000") {
    const auto asked = ask(user, password, peer);
    while (!asked->answer && !asked->later) {
      if (!worker.run_one()) break;
    }
    return asked->answer ? *asked->answer : asked->later.value_or(LoginAnswer::kBusy);
  }

  testing::FakeClock clock;
  Worker worker;
  std::shared_ptr<const PasswordTable> table;
  LoginDesk desk{clock, worker.post(), 1};
};

TEST(LoginDesk, VerifiesOffTheWorkerAndRemembers) {
  Desk here;
  const auto first = here.ask("ann", "secret");
  EXPECT_FALSE(first->answer.has_value()) << "the pool is asked";
  ASSERT_TRUE(here.worker.run_one());
  EXPECT_EQ(first->later, LoginAnswer::kRight);
  EXPECT_EQ(here.ask("ann", "secret", "198.51.100.7:1")->answer, LoginAnswer::kRight) << "at once, anywhere";
  EXPECT_EQ(here.login("ann", "wrong"), LoginAnswer::kWrong);
  EXPECT_EQ(here.ask("ann", "wrong")->answer, LoginAnswer::kWrong) << "at once";
}

TEST(LoginDesk, AnswersUnknownUsersAlike) {
  Desk here;
  EXPECT_EQ(here.login("nobody", "secret"), LoginAnswer::kWrong);
  EXPECT_EQ(here.login("", ""), LoginAnswer::kWrong);
}

TEST(LoginDesk, AnotherPasswordInTheFileEndsWhatWasRemembered) {
  Desk here;
  EXPECT_EQ(here.login("ann", "secret"), LoginAnswer::kRight);
  here.table = table_of({"ann"}, HashKind::kSha512, "changed");
  EXPECT_EQ(here.login("ann", "secret"), LoginAnswer::kWrong);
  EXPECT_EQ(here.login("ann", "changed"), LoginAnswer::kRight);
  here.table = table_of({"bob"}, HashKind::kSha512, "changed");
  EXPECT_EQ(here.login("ann", "changed"), LoginAnswer::kWrong) << "taken out";
}

TEST(LoginDesk, RefusesToBeGuessed) {
  Desk here;
  for (int i = 0; i < Guesses::kAttempts; ++i) {
    EXPECT_EQ(here.login("ann", "guess" + std::to_string(i)), LoginAnswer::kWrong);
  }
  EXPECT_EQ(here.ask("ann", "another")->answer, LoginAnswer::kTooManyFailures) << "before it is hashed";
  EXPECT_EQ(here.login("ann", "secret", "198.51.100.7:1"), LoginAnswer::kRight) << "from elsewhere";
  EXPECT_EQ(here.login("bob", "secret"), LoginAnswer::kRight) << "another user";
  EXPECT_EQ(here.ask("ann", "secret")->answer, LoginAnswer::kRight) << "what was verified is known";
  here.clock.advance(Guesses::kNextAttempt);
  EXPECT_EQ(here.login("ann", "yet another"), LoginAnswer::kWrong) << "one more guess";
  EXPECT_EQ(here.ask("ann", "and one more")->answer, LoginAnswer::kTooManyFailures);
}

TEST(LoginDesk, VerifiesOnceForManyWithTheSameCredentials) {
  Desk here(HashKind::kArgon2id);
  std::vector<std::unique_ptr<Desk::Asked>> all;
  for (int i = 0; i < 200; ++i) all.push_back(here.ask("ann", "secret"));
  for (const auto& asked : all) {
    while (!asked->answer && !asked->later) ASSERT_TRUE(here.worker.run_one());
    EXPECT_EQ(asked->answer ? asked->answer : asked->later, LoginAnswer::kRight) << "none counts as a guess";
  }
}

TEST(LoginDesk, NobodyIsAnsweredWhoHasHungUp) {
  Desk here(HashKind::kArgon2id);
  const auto stays = here.ask("ann", "secret");
  const auto goes = here.ask("ann", "secret");
  goes->ticket.reset();
  ASSERT_TRUE(here.worker.run_one());
  if (!stays->later) {
    ASSERT_TRUE(here.worker.run_one());
  }
  EXPECT_EQ(stays->later, LoginAnswer::kRight);
  EXPECT_FALSE(goes->later.has_value());
}

// A thousand guesses at names, known and unknown, in front of a right login at the same address.
TEST(LoginDesk, AFloodOfGuessesDoesNotDelayARightLogin) {
  Desk here(HashKind::kArgon2id, {"ann", "bob", "eve"});
  for (int i = 0; i < 3; ++i) {
    for (const std::string_view user : {"bob", "eve", "ann"})
      EXPECT_EQ(here.login(user, "warm up" + std::to_string(i)), LoginAnswer::kWrong);
  }
  here.clock.advance(Duration::seconds(60));
  std::vector<std::unique_ptr<Desk::Asked>> flood;
  for (int i = 0; i < 1000; ++i) {
    const std::string user = i % 3 == 0 ? "eve" : "nobody" + std::to_string(i);
    flood.push_back(here.ask(user, "guess" + std::to_string(i)));
  }
  EXPECT_EQ(here.login("ann", "secret"), LoginAnswer::kRight);
  const auto hashed =
      std::count_if(flood.begin(), flood.end(), [](const auto& guess) { return guess->later.has_value(); });
  EXPECT_LT(hashed, 400) << "of the 1000 guesses, most still wait";
}

TEST(LoginDesk, IsBoundedAndSaysSo) {
  std::vector<std::string> users;
  std::string text;
  const std::string hash = *hash_password(HashKind::kArgon2id, "secret");
  for (std::size_t i = 0; i < VerifierPool::kFirstMax + 50; ++i) {
    users.push_back("user" + std::to_string(i));
    text += users.back() + ":" + hash + "\n";
  }
  Desk here;
  here.table = std::make_shared<const PasswordTable>(*PasswordTable::parse(text, "passwords"));
  std::vector<std::unique_ptr<Desk::Asked>> all;
  std::size_t busy = 0;
  for (std::size_t i = 0; i < users.size(); ++i) {
    // Each from an address of its own, so that none is suspect.
    const std::string peer = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":1";
    all.push_back(here.ask(users[i], "guess", peer));
    busy += all.back()->answer == LoginAnswer::kBusy ? 1U : 0U;
  }
  EXPECT_GT(busy, 0u);
  EXPECT_LE(busy, 50u);
}

TEST(Guesses, AnIpv6NetworkIsOnePlace) {
  std::string scratch;
  std::string other;
  EXPECT_EQ(address_of("[2001:db8:1:2::5]:1", scratch), address_of("[2001:db8:1:2:ffff::9]:2", other));
  EXPECT_NE(address_of("[2001:db8:1:2::5]:1", scratch), address_of("[2001:db8:1:3::5]:1", other));
  EXPECT_EQ(address_of("192.0.2.7:51234", scratch), "192.0.2.7");
}

TEST(RecentMap, ForgetsWhatIsNotUsed) {
  struct Hash {
    std::size_t operator()(int key) const { return static_cast<std::size_t>(key); }
  };
  RecentMap<int, int, Hash> map(100);
  map.put(0, 7);
  for (int i = 1; i < 10'000; ++i) {
    map.put(i, i);
    ASSERT_NE(map.find(0), nullptr) << "used all the time";
  }
  EXPECT_LE(map.size(), 100u);
  EXPECT_EQ(map.find(1), nullptr);
}

}  // namespace
}  // namespace nightjar::auth
