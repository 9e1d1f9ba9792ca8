// A PKCS#11 module that is bad in one way: some of its calls do not come back. All else is done by the module that
// $HANGING_TOKEN_REAL names (SoftHSM).
//
// A call hangs while somebody holds an exclusive lock on the file of its name in the folder $HANGING_TOKEN, so that a
// test begins and ends it by flock() and nobody sleeps. What calls returned stands in its file `calls`, a line each.
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace {

CK_FUNCTION_LIST* real = nullptr;

void pass(const char* name) {
    const char* folder = std::getenv("HANGING_TOKEN");
    const int file = folder ? ::open((std::string(folder) + "/" + name).c_str(), O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    (void)::flock(file, LOCK_SH);
    ::close(file);
}

void note(const char* name, CK_RV status) {
    const char* folder = std::getenv("HANGING_TOKEN");
    const int file =
        folder ? ::open((std::string(folder) + "/calls").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file < 0) return;
    const auto line = std::string(name) + " " + std::to_string(status) + "\n";
    (void)!::write(file, line.data(), line.size());
    ::close(file);
}

CK_RV find_real() {
    const char* path = std::getenv("HANGING_TOKEN_REAL");
    void* library = path ? ::dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
    if (!library) return CKR_GENERAL_ERROR;
    const auto entry = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    return entry ? entry(&real) : CKR_GENERAL_ERROR;
}

// The function of that name behind the real one's lock: HANGS(C_Sign)(...).
template <auto Member, const char* Name, class... Arguments>
CK_RV held_up(Arguments... arguments) {
    pass(Name);
    const CK_RV status = (real->*Member)(arguments...);
    note(Name, status);
    return status;
}

constexpr char sign[] = "C_Sign", login[] = "C_Login", open_session[] = "C_OpenSession",
               close_session[] = "C_CloseSession", finalize[] = "C_Finalize", find[] = "C_FindObjectsInit";

CK_FUNCTION_LIST ours;

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
    if (!real)
        if (const CK_RV status = find_real(); status != CKR_OK) return status;
    ours = *real;
    ours.C_GetFunctionList = C_GetFunctionList;
    ours.C_Sign = held_up<&CK_FUNCTION_LIST::C_Sign, sign>;
    ours.C_Login = held_up<&CK_FUNCTION_LIST::C_Login, login>;
    ours.C_OpenSession = held_up<&CK_FUNCTION_LIST::C_OpenSession, open_session>;
    ours.C_CloseSession = held_up<&CK_FUNCTION_LIST::C_CloseSession, close_session>;
    ours.C_Finalize = held_up<&CK_FUNCTION_LIST::C_Finalize, finalize>;
    ours.C_FindObjectsInit = held_up<&CK_FUNCTION_LIST::C_FindObjectsInit, find>;
    *list = &ours;
    return CKR_OK;
}
