// `nightjar import` changes no decision: for each file of tests/e2e/mosquitto_access 10 000 requests, of
// which the identities, client ids, topics and actions are drawn by chance from what its files say and from
// what they do not, are answered by the mosquitto.conf and by the nightjar.toml made of it. Both go the way
// that the broker goes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/access.h"
#include "auth/file_auth.h"
#include "auth/file_rules.h"
#include "auth/login_desk.h"
#include "base/clock.h"
#include "cli/access_settings.h"
#include "cli/import_access.h"
#include "config/load.h"
#include "config/mosquitto/load.h"
#include "config/write.h"
#include "mqtt/topic.h"
#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

constexpr int kRequests = 10'000;
constexpr unsigned kSeed = 20'260'731;

std::filesystem::path files_dir() {
  return std::filesystem::path(__FILE__).parent_path() / "../../tests/e2e/mosquitto_access";
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class NoTime final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return {1}; }
  [[nodiscard]] std::int64_t wall_ms() const override { return 1; }
};

// What is asked of a broker.
struct Request {
  std::size_t listener = 0;
  std::optional<std::string> user;
  std::optional<std::string> password;
  std::optional<broker::PeerProof> proof;
  std::string client_id;
  auth::Action action = auth::kPublish;
  std::string topic;
  std::string peer;
};

// A broker's decisions by one configuration.
class Decider {
 public:
  explicit Decider(config::Config config) : config_(std::move(config)) {
    auto loaded = auth::Access::load(access_settings(config_));
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    access_ = std::make_unique<auth::AccessInForce>(*loaded);
    desk_ = std::make_unique<auth::LoginDesk>(
        clock_,
        [this](broker::WorkerIndex, std::function<void()> task) {
          const auto answer = answer_;
          answer->set_value(std::move(task));
        },
        1);
    authenticator_ = std::make_unique<auth::FileAuth>(*access_, *desk_);
    rules_ = std::make_unique<auth::FileRules>(*access_, clock_);
  }

  // "refused 135" or "ann pump: allowed".
  std::string decide(const Request& request) {
    const broker::ListenerPolicy& policy = config_.listeners.at(request.listener).policy;
    const auto verdict = login(request, policy);
    if (verdict.kind != broker::AuthVerdict::Kind::kAllow)
      return "refused " + std::to_string(static_cast<int>(verdict.code));
    const std::string id = policy.client_id_is_user_name ? verdict.user_name : request.client_id;
    if (id.empty() || !id.starts_with(policy.client_id_prefix)) return "refused for its client id";
    const broker::ClientIdentity who{id, verdict.user_name, policy.name};
    return verdict.user_name + " " + id + (may(request, who, policy) ? ": allowed" : ": denied");
  }

 private:
  broker::AuthVerdict login(const Request& request, const broker::ListenerPolicy& policy) {
    answer_ = std::make_shared<std::promise<std::function<void()>>>();
    std::optional<broker::AuthVerdict> verdict;
    const auto exchange = authenticator_->open("");
    exchange->start({.client_id = request.client_id,
                     .has_user_name = request.user.has_value(),
                     .user_name = request.user ? std::string_view(*request.user) : std::string_view{},
                     .has_password = request.password.has_value(),
                     .password = request.password ? as_bytes(*request.password) : ByteView{},
                     .peer = request.peer,
                     .proof = request.proof ? &*request.proof : nullptr,
                     .listener = policy.name,
                     .listener_allows_anonymous = policy.allow_anonymous},
                    [&verdict](broker::AuthVerdict given) { verdict = std::move(given); });
    if (!verdict) answer_->get_future().get()();
    return verdict.value();
  }

  bool may(const Request& request, const broker::ClientIdentity& who, const broker::ListenerPolicy& policy) {
    const std::string topic = policy.mount_point + request.topic;
    if (request.action == auth::kPublish)
      return rules_->may_publish(who, topic, mqtt::Qos::kAtLeastOnce, false);
    return request.action == auth::kReceive ? rules_->may_receive(who, topic)
                                            : rules_->may_subscribe(who, topic);
  }

  config::Config config_;
  NoTime clock_;
  std::shared_ptr<std::promise<std::function<void()>>> answer_;  // of the request at hand
  std::unique_ptr<auth::AccessInForce> access_;
  std::unique_ptr<auth::LoginDesk> desk_;
  std::unique_ptr<auth::FileAuth> authenticator_;
  std::unique_ptr<auth::FileRules> rules_;
};

// Draws requests from the words of the files of one configuration.
class Requests {
 public:
  Requests(const config::Config& config, unsigned seed) : chance_(seed), config_(config) {
    for (const config::ListenerConfig& listener : config.listeners) {
      for (const std::string& path : {listener.auth.acl_file, listener.auth.dynamic_security})
        take_words(path);
    }
  }

  Request next() {
    Request request{
        .listener = below(config_.listeners.size()),
        .client_id = one_of(kIds),
        .action = one_of(std::vector{auth::kPublish, auth::kReceive, auth::kSubscribe}),
        .peer = "10.0." + std::to_string(count_ / 250) + "." + std::to_string(count_ % 250) + ":1"};
    ++count_;
    if (below(4) != 0) request.user = one_of(kUsers);
    if (below(8) != 0 && request.user) request.password = "pw-" + *request.user;
    if (below(10) == 0) request.password = "wrong";
    if (below(3) == 0) request.proof = proof();
    request.topic = topic(request);
    return request;
  }

 private:
  inline static const std::vector<std::string> kUsers{"ann", "bob",   "cy",       "site/dora", "e+e",
                                                      "#",   "guest", "sensor 1", "nobody",    "admin"};
  inline static const std::vector<std::string> kIds{"pump", "ann", "a/b", "dev-1", "dev-2/x", "+",
                                                    "$SYS", "c d", "bob", "acme",  "x#"};

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(chance_);
  }
  template <typename T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

  // Everything that may be a filter.
  void take_words(const std::string& path) {
    std::istringstream lines(path.empty() ? "" : text_of(path));
    for (std::string line; std::getline(lines, line);) {
      std::replace(line.begin(), line.end(), '"', ' ');
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == ','))
        line.pop_back();
      for (std::size_t at = line.find(' '); at != std::string::npos; at = line.find(' ', at + 1)) {
        const std::string rest = line.substr(at + 1);
        if (mqtt::is_valid_topic_filter(rest)) filters_.insert(rest);
      }
    }
  }

  broker::PeerProof proof() {
    broker::PeerProof proof;
    if (below(4) == 0) {
      proof.psk_identity = one_of(kUsers);
      return proof;
    }
    proof.has_certificate = below(5) != 0;
    proof.common_name = below(5) == 0 ? "" : one_of(kUsers);
    proof.subject = "CN=" + proof.common_name + ",O=Plant";
    return proof;
  }

  std::string topic(const Request& request) {
    std::string filter = "plant/1/state";
    if (!filters_.empty() && below(6) != 0)
      filter = *std::next(filters_.begin(), static_cast<std::ptrdiff_t>(below(filters_.size())));
    std::string topic;
    bool is_first = true;
    mqtt::Levels levels(filter);
    for (std::string_view level; levels.next(level);) {
      if (!is_first) topic += '/';
      is_first = false;
      topic += level_for(std::string(level), request);
    }
    if (below(12) == 0) topic += "/more";
    if (below(12) == 0) topic = topic.substr(0, topic.rfind('/'));
    const bool is_usable = request.action == auth::kSubscribe ? mqtt::is_valid_topic_filter(topic)
                                                              : mqtt::is_valid_topic_name(topic);
    return is_usable ? topic : "plant/1";
  }

  std::string level_for(std::string text, const Request& request) {
    const bool keeps_wildcards = request.action == auth::kSubscribe && below(2) == 0;
    if (text == "+" || text == "#") return keeps_wildcards ? text : one_of(kLevels);
    const std::array<std::pair<std::string_view, std::string>, 2> names{
        {{"%c", request.client_id}, {"%u", request.user.value_or("")}}};
    for (const auto& [name, own] : names) {
      if (const std::size_t at = text.find(name); at != std::string::npos)
        text.replace(at, 2, below(5) == 0 ? one_of(kUsers) : own);
    }
    return text;
  }
  inline static const std::vector<std::string> kLevels{"1",      "2", "x",   "state", "secret",
                                                       "locked", "",  "a/b", "$SYS"};

  std::mt19937 chance_;
  const config::Config& config_;
  std::set<std::string> filters_;
  std::size_t count_ = 0;
};

config::Config native_of(config::Config config, const std::filesystem::path& output) {
  const auto access = import_access(config, "", output.string());
  EXPECT_TRUE(access.has_value()) << access.error().message;
  for (const NewFile& file : access->files) std::ofstream(file.path, std::ios::binary) << file.text;
  const auto native = config::load_text(config::write_toml(config, "imported"), "nightjar.toml");
  EXPECT_TRUE(native.has_value()) << native.error().front();
  return *native;
}

class ImportDecisions : public testing::TestWithParam<std::string> {};

TEST_P(ImportDecisions, AreThoseOfTheMosquittoConf) {
  const test_support::TempDir made;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(files_dir());
  const auto config = config::mosquitto::load_file(GetParam() + ".conf", {});
  ASSERT_TRUE(config.has_value()) << config.error().front();
  Decider mosquitto(*config);
  Decider native(native_of(*config, made.path() / "nightjar.toml"));
  Requests requests(*config, kSeed);
  std::set<std::string> answers;
  for (int i = 0; i < kRequests; ++i) {
    const Request request = requests.next();
    const std::string answer = mosquitto.decide(request);
    answers.insert(answer.substr(answer.find(':') + 1));
    ASSERT_EQ(native.decide(request), answer)
        << "request " << i << ": " << request.user.value_or("(no user)") << " with "
        << request.password.value_or("(no password)") << " as \"" << request.client_id << "\" at listener "
        << request.listener << (request.proof ? " and with a proof" : "") << ", action "
        << static_cast<int>(request.action) << ", topic \"" << request.topic << "\"";
  }
  EXPECT_GE(answers.size(), 2u) << "the requests tell something apart";
  std::filesystem::current_path(before);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(files_dir())) {
    if (entry.path().extension() == ".conf") all.push_back(entry.path().stem().string());
  }
  std::sort(all.begin(), all.end());
  return all;
}

INSTANTIATE_TEST_SUITE_P(Files, ImportDecisions, testing::ValuesIn(names()),
                         [](const testing::TestParamInfo<std::string>& file) { return file.param; });

}  // namespace
}  // namespace nightjar::cli
