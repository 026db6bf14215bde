#include "cli/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct DataDirTest : testing::Test {
  test_support::TempDir directory;
  fs::path root = directory.path() / "data";
};

TEST_F(DataDirTest, IsMadeWithItsParentsForItsOwnerOnly) {
  const auto data = DataDir::open(root / "a/b/");
  ASSERT_TRUE(data.has_value()) << data.error().message;
  EXPECT_EQ(data->path(), root / "a/b");
  EXPECT_EQ(fs::status(root / "a/b").permissions(), fs::perms::owner_all);
  EXPECT_EQ(data->control_socket(), root / "a/b/nightjar.sock");
}

TEST_F(DataDirTest, ASecondBrokerIsRefusedAndToldWhoHasIt) {
  const auto first = DataDir::open(root);
  ASSERT_TRUE(first.has_value());
  const auto second = DataDir::open(root);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message,
              AllOf(HasSubstr("in use by the broker with process id " + std::to_string(::getpid())),
                    HasSubstr("--data")));
}

TEST_F(DataDirTest, IsFreeAgainAfterwards) {
  { const auto first = DataDir::open(root); }
  EXPECT_TRUE(DataDir::open(root).has_value());
}

TEST_F(DataDirTest, AFileInItsPlaceIsRefused) {
  std::ofstream(root) << "a file";
  const auto data = DataDir::open(root);
  ASSERT_FALSE(data.has_value());
  EXPECT_THAT(data.error().message, HasSubstr("cannot use the data directory"));
}

// Root may write everywhere, so this becomes nobody for a while.
class NotRoot {
 public:
  NotRoot() { is_changed_ = ::geteuid() == 0 && ::seteuid(kNobody) == 0; }
  ~NotRoot() {
    if (!is_changed_) return;
    EXPECT_EQ(::seteuid(0), 0);
  }

 private:
  static constexpr uid_t kNobody = 65534;
  bool is_changed_ = false;
};

TEST_F(DataDirTest, OneThatCannotBeMadeIsNamed) {
  std::ofstream{root} << "a file";
  const auto data = DataDir::open(root / "below");
  ASSERT_FALSE(data.has_value());
  EXPECT_THAT(data.error().message,
              HasSubstr("cannot use the data directory " + (root / "below").string() + ":"));
}

TEST_F(DataDirTest, MissingRightsNameUserModeAndFix) {
  fs::create_directories(root);
  fs::permissions(root, fs::perms::owner_read | fs::perms::owner_exec);
  const NotRoot not_root;
  const auto data = DataDir::open(root);
  ASSERT_FALSE(data.has_value());
  EXPECT_THAT(data.error().message, AllOf(HasSubstr("with mode 0500"), HasSubstr("chown")));
}

TEST_F(DataDirTest, WhoLooksAfterItMakesNothingAndIsToldHowToGoOn) {
  EXPECT_THAT(DataDir::open_existing(root).error().message,
              HasSubstr("there is no data directory " + root.string()));
  EXPECT_FALSE(fs::exists(root));
  const auto broker = DataDir::open(root);
  EXPECT_THAT(DataDir::open_existing(root).error().message,
              AllOf(HasSubstr(std::to_string(::getpid())), HasSubstr("stop it first"),
                    HasSubstr("nightjar store backup")));
  EXPECT_TRUE(broker_serves(root));
}

TEST_F(DataDirTest, NobodyServesWhatNobodyLocks) {
  EXPECT_FALSE(broker_serves(root));
  { const auto broker = DataDir::open(root); }
  EXPECT_FALSE(broker_serves(root));
}

}  // namespace
}  // namespace nightjar::cli
