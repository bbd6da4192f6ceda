// SPDX-License-Identifier: MIT
//
// The Node-API face of the engine. Registers, stop, counters and requests travel through one shared control block;
// the calls here carry nothing but a budget or a range. KEEP IN SYNC: src/cpu/unicorn/addon.ts

#include <node_api.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <string>

#include "engine.h"

namespace trapline {

namespace {

/** What the object that JavaScript holds refers to. */
struct Handle {
  std::unique_ptr<Engine> engine;
  napi_env env = nullptr;
  napi_ref arena = nullptr;
  napi_ref control = nullptr;
  napi_ref handler = nullptr;

  void close() {
    engine.reset();
    for (napi_ref* ref : {&arena, &control, &handler}) {
      if (*ref != nullptr) napi_delete_reference(env, *ref);
      *ref = nullptr;
    }
  }
};

napi_value throwError(napi_env env, const char* code, const std::string& message) {
  napi_throw_error(env, code, message.c_str());
  return nullptr;
}

/** The engine behind `this`-less calls: its pointer is the function's data. Throws once it is disposed of. */
Engine* engineOf(napi_env env, napi_callback_info info, size_t* argc, napi_value* argv) {
  void* data = nullptr;
  napi_get_cb_info(env, info, argc, argv, nullptr, &data);
  Handle* handle = static_cast<Handle*>(data);
  if (handle->engine != nullptr) return handle->engine.get();
  throwError(env, "CPU_DISPOSED", "the engine has been disposed of");
  return nullptr;
}

napi_value endOfCall(napi_env env, Engine* engine, bool ok) {
  if (ok) return nullptr;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) throwError(env, "CPU_ENGINE_FAILED", engine->failure());
  return nullptr;
}

napi_value run(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  if (engine->busy()) return throwError(env, "CPU_BUSY", "run was called inside a run: end the run first");
  double budget = 0;
  napi_get_value_double(env, argv[0], &budget);
  return endOfCall(env, engine, engine->run(budget));
}

napi_value step(napi_env env, napi_callback_info info) {
  size_t argc = 2;
  napi_value argv[2];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  if (engine->busy()) return throwError(env, "CPU_BUSY", "step was called inside a run: end the run first");
  double address = 0;
  void* bytes = nullptr;
  size_t length = 0;
  if (argc == 2) {
    napi_get_value_double(env, argv[0], &address);
    napi_get_typedarray_info(env, argv[1], nullptr, &length, &bytes, nullptr, nullptr);
  }
  bool ok = engine->step(static_cast<uint64_t>(address), static_cast<const uint8_t*>(bytes), length);
  return endOfCall(env, engine, ok);
}

napi_value invalidateCode(napi_env env, napi_callback_info info) {
  size_t argc = 2;
  napi_value argv[2];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  double start = 0, length = 0;
  napi_get_value_double(env, argv[0], &start);
  napi_get_value_double(env, argv[1], &length);
  engine->invalidateCode(static_cast<uint64_t>(start), static_cast<uint64_t>(length));
  return nullptr;
}

uint8_t* fpuImage(napi_env env, napi_value array) {
  void* bytes = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, array, &type, &length, &bytes, nullptr, nullptr) == napi_ok &&
      type == napi_uint8_array && length >= 512) {
    return static_cast<uint8_t*>(bytes);
  }
  throwError(env, "CPU_FPU_IMAGE", "an FPU image is a Uint8Array of 512 bytes");
  return nullptr;
}

napi_value saveFpu(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  uint8_t* image = engine != nullptr ? fpuImage(env, argv[0]) : nullptr;
  if (image != nullptr) engine->saveFpu(image);
  return nullptr;
}

napi_value loadFpu(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  uint8_t* image = engine != nullptr ? fpuImage(env, argv[0]) : nullptr;
  if (image != nullptr) engine->loadFpu(image);
  return nullptr;
}

napi_value armWatchdog(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  uint32_t ms = 0;
  napi_get_value_uint32(env, argv[0], &ms);
  engine->armWatchdog(ms);
  return nullptr;
}

napi_value interruptEvery(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  uint32_t blocks = 0;
  napi_get_value_uint32(env, argv[0], &blocks);
  engine->interruptEvery(blocks);
  return nullptr;
}

napi_value interruptAt(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  double count = 0;
  napi_get_value_double(env, argv[0], &count);
  engine->interruptAt(count);
  return nullptr;
}

napi_value setEarlyFlushes(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  bool on = true;
  napi_get_value_bool(env, argv[0], &on);
  engine->setEarlyFlushes(on);
  return nullptr;
}

napi_value setScreenGs(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  bool on = false;
  napi_get_value_bool(env, argv[0], &on);
  engine->setScreenGs(on);
  return nullptr;
}

napi_value setCounting(napi_env env, napi_callback_info info) {
  size_t argc = 4;
  napi_value argv[4];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  double at[4] = {};
  for (int i = 0; i < 4; i++) napi_get_value_double(env, argv[i], &at[i]);
  auto range = [&at](int i) {
    return AddressRange{static_cast<uint64_t>(at[i]), static_cast<uint64_t>(at[i + 1])};
  };
  engine->setCounting(range(0), range(2));
  return nullptr;
}

napi_value setCpuid(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  Engine* engine = engineOf(env, info, &argc, argv);
  if (engine == nullptr) return nullptr;
  void* words = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, argv[0], nullptr, &length, &words, nullptr, nullptr);
  std::vector<CpuidRow> rows(length / 6);
  std::memcpy(rows.data(), words, rows.size() * sizeof(CpuidRow));
  engine->setCpuid(std::move(rows));
  return nullptr;
}

napi_value setSyscallHandler(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  void* data = nullptr;
  napi_get_cb_info(env, info, &argc, argv, nullptr, &data);
  Handle* handle = static_cast<Handle*>(data);
  if (handle->engine == nullptr) return throwError(env, "CPU_DISPOSED", "the engine has been disposed of");
  if (handle->handler != nullptr) napi_delete_reference(env, handle->handler);
  handle->handler = nullptr;
  napi_create_reference(env, argv[0], 1, &handle->handler);
  handle->engine->syscallHandler = [handle]() {
    napi_env e = handle->env;
    napi_handle_scope scope;
    napi_open_handle_scope(e, &scope);
    napi_value function, receiver, result;
    napi_get_reference_value(e, handle->handler, &function);
    napi_get_undefined(e, &receiver);
    Engine::Answer answer = Engine::Answer::thrown;
    bool goOn = false;
    if (napi_call_function(e, receiver, function, 0, nullptr, &result) == napi_ok) {
      napi_get_value_bool(e, result, &goOn);
      answer = goOn ? Engine::Answer::goOn : Engine::Answer::end;
    }
    napi_close_handle_scope(e, scope);
    return answer;
  };
  return nullptr;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t argc = 0;
  napi_get_cb_info(env, info, &argc, nullptr, nullptr, &data);
  static_cast<Handle*>(data)->close();
  return nullptr;
}

void freeArena(napi_env, void* data, void* hint) { munmap(data, reinterpret_cast<size_t>(hint)); }

void freeHandle(napi_env, void* data, void*) {
  Handle* handle = static_cast<Handle*>(data);
  handle->close();
  delete handle;
}

/** What libunicorn maps for translated code. */
constexpr size_t kTranslationBytes = size_t{1} << 30;

/** openEngine(libraryPath, memoryBytes): { arena, control, version, run, … } */
napi_value openEngine(napi_env env, napi_callback_info info) {
  size_t argc = 2;
  napi_value argv[2];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  char path[4096];
  size_t pathLength = 0;
  napi_get_value_string_utf8(env, argv[0], path, sizeof path, &pathLength);
  double size = 0;
  napi_get_value_double(env, argv[1], &size);
  size_t bytes = static_cast<size_t>(size);

  std::string error;
  const UnicornApi* api = UnicornApi::load(std::string(path, pathLength), &error);
  if (api == nullptr) return throwError(env, "CPU_LIBRARY", error);

  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return throwError(env, "CPU_MEMORY", "the host gives no address space for the arena");
#ifdef MADV_HUGEPAGE
  // Fewer host page faults on first touch; a hint that may be refused.
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  // libunicorn ends the process where it finds no room for its translations.
  void* room = mmap(nullptr, kTranslationBytes, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) {
    munmap(memory, bytes);
    return throwError(env, "CPU_MEMORY", "the host gives no address space for translated code (see ulimit -v)");
  }
  munmap(room, kTranslationBytes);
  napi_value arena;
  if (napi_create_external_arraybuffer(env, memory, bytes, freeArena, reinterpret_cast<void*>(bytes), &arena) !=
      napi_ok) {
    munmap(memory, bytes);
    return throwError(env, "CPU_MEMORY", "this Node cannot make an ArrayBuffer of that size");
  }
  napi_value control;
  void* controlBytes = nullptr;
  napi_create_arraybuffer(env, sizeof(Control), &controlBytes, &control);
  std::memset(controlBytes, 0, sizeof(Control));

  auto handle = std::make_unique<Handle>();
  handle->env = env;
  handle->engine = std::make_unique<Engine>(*api, static_cast<uint8_t*>(memory), bytes,
                                            static_cast<Control*>(controlBytes));
  if (!handle->engine->open(&error)) return throwError(env, "CPU_ENGINE_FAILED", error);
  napi_create_reference(env, arena, 1, &handle->arena);
  napi_create_reference(env, control, 1, &handle->control);

  napi_value object, version;
  napi_create_object(env, &object);
  napi_create_string_utf8(env, api->versionText().c_str(), NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, object, "arena", arena);
  napi_set_named_property(env, object, "control", control);
  napi_set_named_property(env, object, "version", version);
  const struct {
    const char* name;
    napi_callback call;
  } methods[] = {{"run", run},
                 {"step", step},
                 {"invalidateCode", invalidateCode},
                 {"saveFpu", saveFpu},
                 {"loadFpu", loadFpu},
                 {"armWatchdog", armWatchdog},
                 {"interruptEvery", interruptEvery},
                 {"interruptAt", interruptAt},
                 {"setEarlyFlushes", setEarlyFlushes},
                 {"setScreenGs", setScreenGs},
                 {"setCounting", setCounting},
                 {"setCpuid", setCpuid},
                 {"setSyscallHandler", setSyscallHandler},
                 {"dispose", dispose}};
  for (const auto& method : methods) {
    napi_value function;
    napi_create_function(env, method.name, NAPI_AUTO_LENGTH, method.call, handle.get(), &function);
    napi_set_named_property(env, object, method.name, function);
  }
  napi_wrap(env, object, handle.get(), freeHandle, nullptr, nullptr);
  handle.release();
  return object;
}

/** libraryVersion(path): "2.1.4" */
napi_value libraryVersion(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  char path[4096];
  size_t length = 0;
  napi_get_value_string_utf8(env, argv[0], path, sizeof path, &length);
  std::string error;
  const UnicornApi* api = UnicornApi::load(std::string(path, length), &error);
  if (api == nullptr) return throwError(env, "CPU_LIBRARY", error);
  napi_value version;
  napi_create_string_utf8(env, api->versionText().c_str(), NAPI_AUTO_LENGTH, &version);
  return version;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "openEngine", NAPI_AUTO_LENGTH, openEngine, nullptr, &function);
  napi_set_named_property(env, exports, "openEngine", function);
  napi_create_function(env, "libraryVersion", NAPI_AUTO_LENGTH, libraryVersion, nullptr, &function);
  napi_set_named_property(env, exports, "libraryVersion", function);
  return exports;
}

}  // namespace trapline
