#include "auth/access.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "auth/certified_user.h"
#include "auth/dynamic_security.h"
#include "auth/native_access.h"

namespace nightjar::auth {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return fail(fmt::format("cannot read {}: it is a directory", path));
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  if (text.size() > kAccessFileBytesMax)
    return fail(fmt::format("{} is larger than {} MiB", path, kAccessFileBytesMax >> 20));
  return text;
}

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::array<unsigned char, 32> digest_of(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

// What two versions of a file do not have in common, in words.
std::string difference(const AccessFile& before, const AccessFile& now) {
  if (now.passwords == nullptr) return "not the same as before";
  std::size_t fresh = 0;
  std::size_t changed = 0;
  now.passwords->for_each([&](std::string_view user, const PasswordHash& hash) {
    const PasswordHash* old = before.passwords->find(user);
    if (old == nullptr) ++fresh;
    if (old != nullptr && old->text() != hash.text()) ++changed;
  });
  const std::size_t stayed = now.passwords->size() - fresh;
  return fmt::format("{} new, {} gone, {} with another password", fresh, before.passwords->size() - stayed,
                     changed);
}

bool has_own_rules(const AccessSettings& settings) {
  return !settings.has_mosquitto_acl && settings.acl_file.ends_with(".toml");
}

// Each file is read once, however many listeners name it.
class FileReader {
 public:
  Result<std::shared_ptr<const PasswordTable>> passwords(const AccessSettings& settings) {
    const std::string& path = settings.password_file;
    if (path.empty()) return nullptr;
    auto& known = passwords_[path];
    if (known) return known;
    const auto text = read_file(path);
    if (!text) {
      return fail(fmt::format("{}{}; \"nightjar passwd -c {} USER\" makes one", settings.password_place,
                              text.error().message, path));
    }
    const auto repeated =
        settings.is_mosquitto ? PasswordTable::Repeated::kLastCounts : PasswordTable::Repeated::kIsWrong;
    auto table = PasswordTable::parse(*text, path, repeated);
    if (!table) return fail(settings.password_place + table.error().message);
    known = std::make_shared<const PasswordTable>(std::move(*table));
    files_.push_back({path, counted(known->size(), "user"), digest_of(*text), known});
    return known;
  }

  Result<std::shared_ptr<const AccessRules>> rules(const AccessSettings& settings) {
    const std::string& path = settings.acl_file;
    if (path.empty()) return nullptr;
    const bool is_own = has_own_rules(settings);
    auto& known = rules_[{path, is_own}];
    if (known) return known;
    const auto text = read_file(path);
    if (!text) return fail(settings.acl_place + text.error().message);
    auto parsed = is_own ? AccessRules::parse_toml(*text, path) : AccessRules::parse_mosquitto(*text, path);
    if (!parsed) return fail(settings.acl_place + parsed.error().message);
    files_.push_back({path, counted(parsed->size(), is_own ? "rule" : "line"), digest_of(*text), nullptr});
    known = std::make_shared<const AccessRules>(std::move(*parsed));
    return known;
  }

  // Sets both.
  Result<void> dynamic_security(ListenerAccess& access) {
    const std::string& path = access.settings.dynamic_security;
    auto known = dynamic_.find(path);
    if (known == dynamic_.end()) {
      const auto text = read_file(path);
      if (!text) return fail(text.error().message);
      NJ_TRY(const DynamicSecurity read, read_dynamic_security(*text, path));
      const NativeAccess native = native_access(read);
      NJ_TRY(PasswordTable table, PasswordTable::parse(native.passwords, path));
      NJ_TRY(AccessRules rules, AccessRules::parse_toml(native.rules, path + ", as rules"));
      files_.push_back(
          {path, fmt::format("{} and {}", counted(table.size(), "user"), counted(rules.size(), "rule")),
           digest_of(*text), nullptr});
      known = dynamic_
                  .emplace(path, Both{std::make_shared<const PasswordTable>(std::move(table)),
                                      std::make_shared<const AccessRules>(std::move(rules))})
                  .first;
    }
    access.passwords = known->second.passwords;
    access.rules = known->second.rules;
    return {};
  }

  std::vector<AccessFile> take_files() { return std::move(files_); }

 private:
  struct Both {
    std::shared_ptr<const PasswordTable> passwords;
    std::shared_ptr<const AccessRules> rules;
  };
  std::map<std::string, Both> dynamic_;
  std::map<std::string, std::shared_ptr<const PasswordTable>> passwords_;
  std::map<std::pair<std::string, bool>, std::shared_ptr<const AccessRules>> rules_;
  std::vector<AccessFile> files_;
};

}  // namespace

Result<std::shared_ptr<const Access>> Access::load(const std::vector<AccessSettings>& listeners) {
  auto access = std::make_shared<Access>();
  FileReader files;
  for (const AccessSettings& settings : listeners) {
    ListenerAccess each{settings, {}, {}};
    if (settings.dynamic_security.empty()) {
      NJ_TRY(each.passwords, files.passwords(settings));
      NJ_TRY(each.rules, files.rules(settings));
    } else {
      NJ_CHECK(files.dynamic_security(each));
    }
    access->has_rules_ |= each.rules != nullptr;
    access->listeners_.push_back(std::move(each));
  }
  if (access->listeners_.empty()) access->listeners_.emplace_back();
  access->files_ = files.take_files();
  return std::shared_ptr<const Access>(std::move(access));
}

std::vector<std::string> Access::summary() const {
  std::vector<std::string> lines;
  for (const AccessFile& file : files_) lines.push_back(fmt::format("{} in {}", file.holds, file.path));
  return lines;
}

Loss lost_access(const Access& before, const Access& now, const broker::ClientIdentity& who,
                 std::string_view listener_now, const broker::PeerProof* proof) {
  const ListenerAccess& then = before.of(who.listener);
  const ListenerAccess& here = now.of(listener_now);
  if (certified_user(then.settings.user_from, proof).has_proof) return Loss::kNone;
  const bool is_anonymous = who.user_name.empty() || !then.passwords;
  if (is_anonymous) return here.settings.allows_anonymous ? Loss::kNone : Loss::kAnonymous;
  const PasswordHash* old = then.passwords->find(who.user_name);
  // Somebody's name who is not in the file came from a certificate, under a configuration of earlier.
  if (old == nullptr) return Loss::kNone;
  const PasswordHash* present = here.passwords ? here.passwords->find(who.user_name) : nullptr;
  return present != nullptr && present->text() == old->text() ? Loss::kNone : Loss::kUser;
}

Result<WrittenRules> written_rules(const AccessSettings& settings) {
  WrittenRules written;
  const std::string& path = settings.acl_file;
  NJ_TRY(const std::string text, read_file(path));
  const auto parsed = has_own_rules(settings) ? AccessRules::parse_toml(text, path, &written)
                                              : AccessRules::parse_mosquitto(text, path, &written);
  if (!parsed) return tl::make_unexpected(parsed.error());
  return written;
}

std::vector<AccessFileChange> file_changes(const Access& before, const Access& now) {
  std::vector<AccessFileChange> changes;
  for (const AccessFile& file : now.files()) {
    const auto old = std::find_if(before.files().begin(), before.files().end(), [&](const AccessFile& other) {
      return other.path == file.path && (other.passwords == nullptr) == (file.passwords == nullptr);
    });
    if (old == before.files().end() || old->digest == file.digest) continue;
    changes.push_back({file.path, old->holds, fmt::format("{}: {}", file.holds, difference(*old, file))});
  }
  return changes;
}

}  // namespace nightjar::auth
