#include "broker/routing/child_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "base/keyed_hash.h"
#include "broker/routing/tree_node.h"

namespace nightjar::broker {
namespace {

using ::testing::UnorderedElementsAreArray;

// How the texts are hashed; the bad ones force long common paths.
struct Hashing {
  const char* name;
  std::uint64_t (*function)(std::string_view, std::uint64_t);
};

class ChildMapTest : public ::testing::TestWithParam<Hashing> {
 protected:
  ~ChildMapTest() override {
    std::vector<TreeNode*> children;
    map_.dismantle(children, memory_);
    for (TreeNode* child : children) memory_.free(child, child->bytes());
  }
  TreeNode* find(const std::string& text) { return map_.find(hash_(text), text); }
  void insert(const std::string& text) {
    TreeNode* child = TreeNode::make(text, memory_);
    map_.insert(hash_(text), *child, hash_, memory_);
  }
  void erase(const std::string& text) {
    TreeNode* child = find(text);
    ASSERT_NE(child, nullptr);
    map_.erase(hash_(text), *child, memory_);
    memory_.retire(child, child->bytes());
  }
  void collect() {
    memory_.quiescent({0});
    memory_.collect(SIZE_MAX);
  }

  LevelHash hash_{GetParam().function, 12345};
  Reclaimer memory_{1};
  ChildMap map_;
};

TEST_P(ChildMapTest, AgreesWithASetUnderRandomInsertionsAndRemovals) {
  std::mt19937 random(7);
  std::map<std::string, bool> model;
  for (int step = 0; step < 4000; ++step) {
    const std::string text = "level" + std::to_string(random() % 300);
    bool& is_there = model[text];
    ASSERT_EQ(find(text) != nullptr, is_there) << text << " at step " << step;
    is_there ? erase(text) : insert(text);
    is_there = !is_there;
    collect();
  }
  for (const auto& [text, is_there] : model) {
    TreeNode* found = find(text);
    ASSERT_EQ(found != nullptr, is_there) << text;
  }
}

TEST_P(ChildMapTest, NeedsNoMemoryForOneChild) {
  insert("one");
  const std::size_t alone = memory_.bytes();
  for (const char* text : {"two", "three", "one plus one", ""}) insert(text);
  for (const char* text : {"two", "", "one plus one", "three"}) erase(text);
  collect();
  EXPECT_EQ(memory_.bytes(), alone);
  EXPECT_NE(find("one"), nullptr);
  erase("one");
  collect();
  EXPECT_EQ(memory_.bytes(), 0u);
  EXPECT_TRUE(map_.empty());
}

TEST_P(ChildMapTest, TellsTextsApartOfWhichOneBeginsTheOther) {
  std::vector<std::string> texts{""};
  for (int i = 0; i < 30; ++i) texts.push_back(texts.back() + "x");
  for (const std::string& text : texts) insert(text);
  for (const std::string& text : texts) EXPECT_NE(find(text), nullptr) << text.size();
  EXPECT_EQ(find(texts.back() + "x"), nullptr);
}

TEST_P(ChildMapTest, HandsOverEveryChildAtTheEnd) {
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.push_back(std::to_string(i));
  for (const std::string& text : texts) insert(text);
  std::vector<TreeNode*> children;
  map_.dismantle(children, memory_);
  std::vector<std::string> found;
  for (TreeNode* child : children) {
    found.emplace_back(child->text());
    memory_.free(child, child->bytes());
  }
  EXPECT_THAT(found, UnorderedElementsAreArray(texts));
  collect();
  EXPECT_EQ(memory_.bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Hashes, ChildMapTest,
    ::testing::Values(Hashing{"Keyed", &keyed_hash},
                      Hashing{"AllEqual", [](std::string_view, std::uint64_t) -> std::uint64_t { return 0; }},
                      Hashing{"HighBitsOnly",
                              [](std::string_view text, std::uint64_t) -> std::uint64_t {
                                return std::uint64_t{text.size() % 4} << 60;
                              }},
                      Hashing{"TwoValues",
                              [](std::string_view text, std::uint64_t key) {
                                return keyed_hash(text, key) % 2 == 0 ? ~std::uint64_t{0} : std::uint64_t{0};
                              }}),
    [](const auto& hashing) { return hashing.param.name; });

}  // namespace
}  // namespace nightjar::broker
