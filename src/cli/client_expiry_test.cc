#include "cli/client_expiry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace nightjar::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string>& lines() {
  static std::vector<std::string> lines;
  return lines;
}

struct ClientExpiryTest : testing::Test {
  ClientExpiryTest() {
    lines().clear();
    log::set_sink([](log::Level, std::string_view message, std::span<const log::Field> fields) {
      std::string line(message);
      for (const log::Field& field : fields) line += " " + std::string(field.name) + "=" + field.value;
      lines().push_back(line);
    });
  }
  ~ClientExpiryTest() override { log::set_sink(nullptr); }

  void look_at(int clients, std::int64_t days_left) {
    for (int i = 0; i < clients; ++i) {
      const std::string name = "pump" + std::to_string(i);
      expiry.add({.client_id = name,
                  .listener = "secure",
                  .subject = "CN=" + name,
                  .fingerprint = "fingerprint of " + name,
                  .days_left = days_left});
    }
    expiry.write_log();
  }

  ClientExpiry expiry;
};

TEST_F(ClientExpiryTest, AClientIsMentionedAtEachBoundOnce) {
  for (std::int64_t left = 31; left >= -3; --left) look_at(1, left);
  EXPECT_THAT(lines(), ElementsAre(AllOf(HasSubstr("expires in 29 days"),
                                         HasSubstr("client=pump0 listener=secure subject=CN=pump0")),
                                   HasSubstr("expires in 6 days"), HasSubstr("expires within a day"),
                                   HasSubstr("has expired; it cannot connect again")));
}

TEST_F(ClientExpiryTest, AFleetDoesNotFillTheLog) {
  look_at(25, 1);
  ASSERT_THAT(lines(), SizeIs(ClientExpiry::kNamedMax + 1));
  EXPECT_THAT(lines().front(), HasSubstr("expires in 1 day;"));
  EXPECT_THAT(lines().back(), HasSubstr("15 certificates of connected clients"));
  lines().clear();
  look_at(25, 1);
  EXPECT_THAT(lines(), IsEmpty());
}

}  // namespace
}  // namespace nightjar::cli
