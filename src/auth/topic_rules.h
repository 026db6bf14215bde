// Topic filters with what a rule says about each, compiled so that one walk along a topic finds all that
// cover it. A level may hold %c and %u, which stand for the client id and the user name. Does not change once
// it was filled; any thread may use it then.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/glob.h"
#include "broker/ports.h"

namespace nightjar::auth {

enum Action : std::uint8_t { kPublish = 1, kReceive = 2, kSubscribe = 4 };
inline constexpr std::uint8_t kAllActions = kPublish | kReceive | kSubscribe;

// What one line, or one [[rule]], says about its topics.
struct Rule {
  std::uint8_t actions = kAllActions;
  bool is_denied = false;
  std::uint32_t line = 0;
  std::uint32_t condition = 0;  // of AccessRules; 0: none
  std::uint32_t order = 0;      // in its file, from 1 on
};

// What "%c" and "%u" within a level become.
enum class Substitution : std::uint8_t {
  kNone,
  kNames,       // a name, which fills no more than its place: one with a / in it stands for nothing
  kNamesAsText  // Mosquitto: what the text becomes with the names in it; a / in one begins another level
};

class TopicRules {
 public:
  void add(std::string_view filter, const Rule& rule, Substitution substitution);
  // About subscription filters that read as `glob` says, whatever they match.
  void add_text(std::string_view glob, const Rule& rule);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }

  // Every rule about `topic`, which is a topic name, or a filter: then rules that cover all it matches.
  //
  // A name with + or # in it stands for nothing, and neither does one with a / unless it was added as text: a
  // rule that allows by it does not apply. One that denies by it denies whatever stands in that place, so
  // that nobody gets past it by his name.
  template <typename Visit>
  void find(std::string_view topic, const broker::ClientIdentity& who, Visit&& visit) const {
    if (count_ == 0) return;
    Walk<Visit> walk{*this, who, visit, !topic.empty() && topic.front() == '$'};
    walk.down(0, topic, Depth::kFirst, false);
  }
  // Every rule of add_text() about `filter`.
  template <typename Visit>
  void find_texts(std::string_view filter, Visit&& visit) const {
    for (const auto& [glob, rule] : texts_) {
      if (matches_glob(glob, filter)) visit(rule);
    }
  }

 private:
  struct Part {
    enum class Kind : std::uint8_t { kText, kClientId, kUserName };
    Kind kind = Kind::kText;
    std::string text{};
  };
  // A level with names in it.
  struct Pattern {
    std::vector<Part> parts;
    bool is_text = false;  // kNamesAsText
    std::uint32_t child = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Node {
    boost::unordered_flat_map<std::string, std::uint32_t, Hash, std::equal_to<>> children;
    std::vector<Pattern> patterns;
    std::vector<Rule> ends;   // the filter ends here
    std::vector<Rule> below;  // and here with "#"
    std::uint32_t any = 0;    // "+"
  };
  enum class Depth : bool { kFirst, kDeeper };
  struct Fit {
    enum class Kind : std::uint8_t { kNo, kYes, kOnlyToDeny } kind = Kind::kNo;
    std::size_t size = 0;  // of what it fits
  };

  static std::vector<Part> parts_of(std::string_view level);
  // `rest`: the topic from the level on.
  static Fit fit(const Pattern& pattern, std::string_view rest, const broker::ClientIdentity& who,
                 bool is_system);
  std::uint32_t child_for(std::uint32_t node, std::string_view level, Substitution substitution);

  template <typename Visit>
  struct Walk {
    const TopicRules& rules;
    const broker::ClientIdentity& who;
    Visit& visit;
    bool is_system;  // the topic begins with $, which no wildcard stands for [MQTT-4.7.2-1]

    void tell(const std::vector<Rule>& found, bool only_to_deny) {
      for (const Rule& rule : found) {
        if (!only_to_deny || rule.is_denied) visit(rule);
      }
    }

    void down(std::uint32_t at, std::string_view rest, Depth depth, bool only_to_deny) {
      const Node& node = rules.nodes_[at];
      const bool is_wild = depth == Depth::kDeeper || !is_system;
      if (is_wild) tell(node.below, only_to_deny);
      const std::size_t slash = rest.find('/');
      const std::string_view level = rest.substr(0, slash);
      if (level == "#") return;  // of a filter: only "#" covers it
      // `size`: of what `child` stands for.
      const auto follow = [&](std::uint32_t child, std::size_t size, bool denies_only) {
        if (size != rest.size()) return down(child, rest.substr(size + 1), Depth::kDeeper, denies_only);
        tell(rules.nodes_[child].ends, denies_only);
        tell(rules.nodes_[child].below, denies_only);  // "a/#" covers "a"
      };
      if (is_wild && node.any != 0) follow(node.any, level.size(), only_to_deny);
      if (level == "+") return;  // of a filter: only a wildcard covers it
      if (const auto found = node.children.find(level); found != node.children.end())
        follow(found->second, level.size(), only_to_deny);
      for (const Pattern& pattern : node.patterns) {
        const Fit fits = fit(pattern, rest, who, depth == Depth::kFirst && is_system);
        if (fits.kind != Fit::Kind::kNo)
          follow(pattern.child, fits.size, only_to_deny || fits.kind == Fit::Kind::kOnlyToDeny);
      }
    }
  };

  std::vector<Node> nodes_{1};
  std::vector<std::pair<std::string, Rule>> texts_;
  std::size_t count_ = 0;
};

}  // namespace nightjar::auth
