// SPDX-License-Identifier: MIT
//
// Loads libunicorn once per path and resolves the functions that Trapline uses.

#include "unicorn-api.h"

#include <dlfcn.h>

#include <map>
#include <memory>
#include <mutex>

#include "lean-access.h"

namespace trapline {

namespace {

template <typename F>
bool resolve(void* library, const char* name, F* out, std::string* error) {
  *out = reinterpret_cast<F>(dlsym(library, name));
  if (*out != nullptr) return true;
  *error = std::string("the library has no function ") + name;
  return false;
}

}  // namespace

const UnicornApi* UnicornApi::load(const std::string& path, std::string* error) {
  static std::mutex lock;
  static std::map<std::string, std::unique_ptr<UnicornApi>> loaded;
  std::lock_guard<std::mutex> guard(lock);
  auto known = loaded.find(path);
  if (known != loaded.end()) return known->second.get();

  offerLeanAccess();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    *error = reason != nullptr ? reason : "the library cannot be opened";
    return nullptr;
  }
  auto api = std::make_unique<UnicornApi>();
  bool ok = resolve(library, "uc_version", &api->version, error) && resolve(library, "uc_open", &api->open, error) &&
            resolve(library, "uc_close", &api->close, error) &&
            resolve(library, "uc_strerror", &api->strerror, error) &&
            resolve(library, "uc_mem_map_ptr", &api->memMapPtr, error) &&
            resolve(library, "uc_emu_start", &api->emuStart, error) &&
            resolve(library, "uc_emu_stop", &api->emuStop, error) &&
            resolve(library, "uc_hook_add", &api->hookAdd, error) &&
            resolve(library, "uc_reg_read", &api->regRead, error) &&
            resolve(library, "uc_reg_write", &api->regWrite, error) &&
            resolve(library, "uc_reg_read_batch", &api->regReadBatch, error) &&
            resolve(library, "uc_reg_write_batch", &api->regWriteBatch, error) &&
            resolve(library, "uc_context_alloc", &api->contextAlloc, error) &&
            resolve(library, "uc_context_save", &api->contextSave, error) &&
            resolve(library, "uc_context_restore", &api->contextRestore, error) &&
            resolve(library, "uc_context_size", &api->contextSize, error) &&
            resolve(library, "uc_context_free", &api->contextFree, error) &&
            resolve(library, "uc_ctl", &api->ctl, error);
  if (!ok) {
    dlclose(library);
    return nullptr;
  }
  // What its arguments mean is known of this series.
  bool isKnown = (api->version(nullptr, nullptr) >> 16) == 0x0201;
  api->invalidatePhysical =
      isKnown ? reinterpret_cast<void (*)(UcEngine*, uint64_t, uint64_t)>(dlsym(library, "tb_invalidate_phys_range_x86_64"))
              : nullptr;
  const UnicornApi* table = api.get();
  loaded[path] = std::move(api);
  return table;
}

std::string UnicornApi::versionText() const {
  unsigned packed = version(nullptr, nullptr);
  return std::to_string((packed >> 24) & 0xff) + "." + std::to_string((packed >> 16) & 0xff) + "." +
         std::to_string((packed >> 8) & 0xff);
}

}  // namespace trapline
