// What holds for every key, whatever is added to the schema: its default and its example can be read, and
// what is no value for it is refused with file, line, column, key and what would be right.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "config/describe.h"
#include "config/load.h"
#include "config/reference.h"
#include "config/schema.h"
#include "config/units.h"

namespace nightjar::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A table of the schema, and what stands in a file before its first key.
struct Table {
  std::string name;   // as the reference calls it: "listener.tls"
  std::string label;  // as messages call it: "listener.1.tls"
  std::string head;
  Section section;
};

// Holds what the slots of the tables refer to.
struct Schema {
  Config config;
  ListenerConfig listener = fresh_listener(config);
  std::vector<Table> tables;

  Schema() {
    for (const Section& section : sections_of(config)) add(section, section.name, section.name, "");
    const std::string head = "[[listener]]\n";
    const Section own = section_of(listener);
    tables.push_back({"listener", "listener.1", head, own});
    for (const Section& nested : own.nested) {
      add(nested, "listener." + nested.name, "listener.1." + nested.name, head);
    }
  }

 private:
  void add(const Section& section, const std::string& name, const std::string& label,
           const std::string& before) {
    const std::string heading = section.further ? "[[" + name + "]]\n" : "[" + name + "]\n";
    tables.push_back({name, label, before + heading, section});
    for (const Section& nested : section.nested) {
      add(nested, name + "." + nested.name, label + "." + nested.name, before);
    }
  }
};

void for_every_key(const std::function<void(const Table&, const Slot&)>& look) {
  const Schema schema;
  for (const Table& table : schema.tables) {
    for (const Slot& slot : table.section.slots) look(table, slot);
  }
}

// Lines of `text`, which end with a line feed.
std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

Problems problems(const std::string& text) {
  const auto loaded = load_text(text, "nightjar.toml");
  return loaded ? Problems{} : loaded.error();
}

// Those of `text` that are about this very value, not about a key that it needs beside it.
Problems problems_with_value(const std::string& text, const std::string& place) {
  Problems found;
  for (const std::string& problem : problems(text)) {
    if (problem.starts_with(place) && problem.find(" must be ") != std::string::npos)
      found.push_back(problem);
  }
  return found;
}

struct Wrong {
  std::string toml;
  std::string found;  // as the message calls it
};

Wrong word(const std::string& text) {
  return {fmt::format("\"{}\"", text), fmt::format("the string \"{}\"", text)};
}
Wrong number(std::int64_t value) { return {fmt::format("{}", value), fmt::format("{}", value)}; }

// Whatever the kind, these are nothing that a key of it takes.
std::vector<Wrong> other_types(Kind kind) {
  std::vector<Wrong> wrong{
      {"{}", "a table"}, {"2020-01-01", "a date or time"}, {"1.5", "1.5"}, {"[1]", "an array"}};
  if (kind != Kind::kBool) wrong.push_back({"true", "true"});
  if (kind == Kind::kBool || kind == Kind::kChoice || kind == Kind::kText || kind == Kind::kTexts ||
      kind == Kind::kMode) {
    wrong.push_back(number(7));
  }
  if (kind != Kind::kText) wrong.push_back(word("no such word"));
  return wrong;
}

// Amounts just outside of what the shape allows, in every way of writing them.
std::vector<Wrong> outside(const Shape& shape) {
  std::vector<Wrong> wrong{number(-1)};
  const bool has_unit = shape.kind == Kind::kDuration;
  const std::string unit = has_unit ? "ms" : "B";
  if (shape.min > 0)
    wrong.push_back(has_unit ? word(fmt::format("{}ms", shape.min - 1)) : number(shape.min - 1));
  if (!has_unit) wrong.push_back(number(shape.max + 1));
  if (shape.kind != Kind::kNumber) {
    // One more than the most may stand for "never".
    wrong.push_back(word(fmt::format("{}{}", shape.max + 2 * shape.step, unit)));
    wrong.push_back(word(fmt::format("-1{}", unit)));
    wrong.push_back(word("1 fortnight"));
  }
  if (has_unit) wrong.push_back(number(5));  // five what?
  if (has_unit && shape.step > 1) wrong.push_back(word(fmt::format("{}ms", shape.min + 1)));
  if (has_unit && shape.never == 0) wrong.push_back(word("never"));
  return wrong;
}

std::vector<Wrong> wrong_values(const Slot& slot) {
  std::vector<Wrong> wrong = other_types(slot.shape.kind);
  switch (slot.shape.kind) {
    case Kind::kBool:
      wrong.push_back(word("true"));
      break;
    case Kind::kChoice:
      wrong.push_back(word(""));
      for (const std::string_view choice : slot.shape.choices)
        wrong.push_back(word(std::string(choice) + "x"));
      break;
    case Kind::kTexts:
      wrong.push_back(word(std::string(slot.shape.example)));
      break;
    case Kind::kMode:
      for (const char* mode : {"0680", "1777", "66", "00660", "rw-"}) wrong.push_back(word(mode));
      break;
    case Kind::kNumber:
    case Kind::kSize:
    case Kind::kDuration:
      for (Wrong& each : outside(slot.shape)) wrong.push_back(std::move(each));
      break;
    case Kind::kText:
      break;
  }
  return wrong;
}

TEST(EveryKey, RefusesWhatIsNoValueWithPlaceKeyAndWhatWouldBeRight) {
  for_every_key([](const Table& table, const Slot& slot) {
    const std::string left = fmt::format("  {} = ", slot.name);
    const std::string place = fmt::format("nightjar.toml:{}:{}: ", lines_of(table.head) + 1, left.size() + 1);
    for (const Wrong& wrong : wrong_values(slot)) {
      EXPECT_THAT(problems_with_value(table.head + left + wrong.toml + "\n", place),
                  ElementsAre(fmt::format("{}\"{}\" in [{}] must be {}, not {}", place, slot.name,
                                          table.label, describe(slot.shape), wrong.found)));
    }
  });
}

TEST(EveryKey, TakesItsDefaultItsExampleAndItsBounds) {
  for_every_key([](const Table& table, const Slot& slot) {
    std::vector<std::string> right{to_toml(slot.shape, slot.get()), example_of(slot)};
    const Shape& shape = slot.shape;
    if (shape.kind == Kind::kNumber || shape.kind == Kind::kSize || shape.kind == Kind::kDuration) {
      right.push_back(to_toml(shape, shape.min));
      right.push_back(to_toml(shape, shape.max));
    }
    if (shape.never != 0) right.emplace_back("\"never\"");
    const std::string left = fmt::format("{} = ", slot.name);
    const std::string place = fmt::format("nightjar.toml:{}:{}: ", lines_of(table.head) + 1, left.size() + 1);
    for (const std::string& value : right) {
      EXPECT_THAT(problems_with_value(table.head + left + value + "\n", place), ElementsAre())
          << left << value;
    }
  });
}

TEST(EveryKey, HasAnExampleThatIsNotTheDefault) {
  for_every_key([](const Table& table, const Slot& slot) {
    EXPECT_NE(example_of(slot), to_toml(slot.shape, slot.get())) << table.name << "." << slot.name;
    EXPECT_THAT(example_of(slot), ::testing::Not(::testing::AnyOf("", "\"\"", "[\"\"]")))
        << table.name << "." << slot.name;
  });
}

TEST(EveryKey, IsExplainedWithMeaningValueDefaultAndExample) {
  for_every_key([](const Table& table, const Slot& slot) {
    const std::string name = fmt::format("{}.{}", table.name, slot.name);
    const auto explained = explain(name, Language::kEnglish);
    ASSERT_TRUE(explained.has_value()) << name;
    EXPECT_THAT(*explained, HasSubstr(std::string(slot.meaning)));
    EXPECT_THAT(*explained, HasSubstr("Value: " + describe(slot.shape) + "\n"));
    EXPECT_THAT(*explained, HasSubstr("Default: " + to_toml(slot.shape, slot.get()) + "\n"));
    EXPECT_THAT(*explained, HasSubstr(fmt::format("{} = {}\n", slot.name, example_of(slot))));
  });
}

// A slip of the finger: two letters changed places.
TEST(EveryKey, IsSuggestedWhenItIsMisspelt) {
  for_every_key([](const Table& table, const Slot& slot) {
    if (slot.name.size() < 3) return;  // the nearest word is a guess
    std::string slip(slot.name);
    std::swap(slip[slip.size() - 1], slip[slip.size() - 2]);
    if (slip == slot.name) slip.back() = 'x';
    const auto said = problems(fmt::format("{} {} = 1\n", table.head, slip));
    const std::string expected =
        fmt::format("nightjar.toml:{}:2: unknown key \"{}\" in [{}]; did you mean \"{}\"?",
                    lines_of(table.head) + 1, slip, table.label, slot.name);
    EXPECT_THAT(said, ::testing::Contains(expected));
  });
}

}  // namespace
}  // namespace nightjar::config
