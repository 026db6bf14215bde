#include "auth/login_desk.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace nightjar::auth {
namespace {

std::uint64_t random_word() {
  std::uint64_t word = 0;
  // Without it no key is a secret; OpenSSL gives none only where the system has none.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&word), sizeof word) != 1) std::abort();
  return word;
}

std::array<unsigned char, 32> random_key() {
  std::array<unsigned char, 32> key{};
  if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) std::abort();
  return key;
}

void append_part(std::string& to, std::string_view part) {
  const std::uint64_t size = part.size();
  to.append(reinterpret_cast<const char*>(&size), sizeof size);
  to.append(part);
}

}  // namespace

// One verification, for everybody who came with the same credentials in the meantime: a thousand devices that
// share a user cost one.
struct LoginDesk::Check {
  struct Waiter {
    broker::WorkerIndex worker;
    std::shared_ptr<Pending> pending;
  };

  Credentials credentials{};
  std::shared_ptr<const PasswordTable> table;
  std::string user;
  std::string password;
  std::string peer;
  std::vector<Waiter> waiters;           // under the desk's mutex
  std::atomic<std::uint32_t> wanted{0};  // of them, those that still want to know

  Check() = default;
  ~Check() { OPENSSL_cleanse(password.data(), password.size()); }
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;
};

LoginDesk::Ticket::~Ticket() {
  if (!pending_ || !pending_->done) return;  // answered
  pending_->done = nullptr;
  check_->wanted.fetch_sub(1, std::memory_order_relaxed);
}

LoginDesk::LoginDesk(const Clock& clock, Post post, unsigned threads)
    : clock_(clock), post_(std::move(post)), key_(random_key()), guesses_(random_word()), pool_(threads) {}

LoginDesk::Credentials LoginDesk::credentials_of(const Question& question, const PasswordHash* hash) const {
  std::string text;
  append_part(text, hash == nullptr ? "" : std::string_view(hash->text()));
  append_part(text, question.user);
  append_part(text, as_text(question.password));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const bool is_made =
      HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size) != nullptr;
  OPENSSL_cleanse(text.data(), text.size());
  if (!is_made) std::abort();  // nobody may pass for somebody else
  Credentials credentials;
  std::memcpy(credentials.data(), digest.data(), sizeof credentials);
  return credentials;
}

std::optional<LoginAnswer> LoginDesk::ask(const Question& question, Done done,
                                          std::unique_ptr<Ticket>& ticket) {
  const PasswordHash* hash = question.table->find(question.user);
  const Credentials credentials = credentials_of(question, hash);
  const MonoTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (verified_.find(credentials) != nullptr) return LoginAnswer::kRight;
  if (wrong_.find(credentials) != nullptr) return LoginAnswer::kWrong;
  const auto waiting = checks_.find(credentials);
  std::shared_ptr<Check> check = waiting == checks_.end() ? nullptr : waiting->second;
  if (!check) {
    const bool is_suspect = guesses_.is_suspect(question.user, question.peer, now);
    if (!guesses_.take(question.user, question.peer, now)) return LoginAnswer::kTooManyFailures;
    check = std::make_shared<Check>();
    check->credentials = credentials;
    check->table = question.table;
    check->user = question.user;
    check->password = as_text(question.password);
    check->peer = question.peer;
    if (!pool_.submit(is_suspect ? VerifierPool::Lane::kSuspect : VerifierPool::Lane::kFirst,
                      hash != nullptr ? VerifierPool::Cost::kHash : VerifierPool::Cost::kNothing,
                      [this, check] { verify(check); })) {
      return LoginAnswer::kBusy;
    }
    checks_.emplace(credentials, check);
  }
  ticket = std::make_unique<Ticket>();
  ticket->pending_ = std::make_shared<Pending>(Pending{std::move(done)});
  ticket->check_ = check;
  check->waiters.push_back({question.worker, ticket->pending_});
  check->wanted.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

// False: everybody who wanted to know has hung up, and nobody can ask for this check any more.
bool LoginDesk::is_wanted(const Check& check) {
  const std::lock_guard lock(mutex_);
  if (check.wanted.load(std::memory_order_relaxed) != 0) return true;
  checks_.erase(check.credentials);
  return false;
}

void LoginDesk::verify(const std::shared_ptr<Check>& check) {
  if (!is_wanted(*check)) return;
  const PasswordHash* hash = check->table->find(check->user);
  const PasswordHash* measure = hash != nullptr ? hash : check->table->reference();
  if (measure == nullptr) return settle(*check, false);
  VerifyTimes& times = times_[static_cast<std::size_t>(measure->kind())];
  if (hash == nullptr) {
    if (const auto span = times.draw(check->credentials[0])) {
      pool_.submit_after(*span, [this, check] { settle(*check, false); });
      return;
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  const bool is_right = measure->verify(as_bytes(check->password)) && hash != nullptr;
  times.add(std::chrono::steady_clock::now() - begin);
  settle(*check, is_right);
}

void LoginDesk::settle(Check& check, bool is_right) {
  std::vector<Check::Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    (is_right ? verified_ : wrong_).put(check.credentials, {});
    if (is_right) guesses_.succeeded(check.user, check.peer, clock_.now());
    checks_.erase(check.credentials);
    waiters.swap(check.waiters);
  }
  const LoginAnswer answer = is_right ? LoginAnswer::kRight : LoginAnswer::kWrong;
  for (Check::Waiter& waiter : waiters) {
    post_(waiter.worker, [pending = std::move(waiter.pending), answer] {
      if (!pending->done) return;  // taken back
      // The answer may end the ticket, and the function with it.
      const Done done = std::exchange(pending->done, nullptr);
      done(answer);
    });
  }
}

}  // namespace nightjar::auth
