"""German."""

MESSAGES = {
    # panels
    "Text to Motion": "Text zu Bewegung",
    "Motion": "Bewegung",
    "Takes": "Takes",
    "Edit": "Bearbeiten",
    "Engine": "Engine",
    "Retarget": "Übertragen",
    "Bone Map": "Knochenzuordnung",
    "Block": "Block",
    "Prompts That Work": "Bewährte Prompts",
    # storyboard
    "Prompt": "Prompt",
    "What the character does, in plain English: a person walks and turns left": "Was die Figur tut, in einfachem "
    "Englisch: a person walks and turns left",
    "Length in": "Länge in",
    "What stays when the scene's frame rate is changed": "Was bleibt, wenn die Bildrate der Szene geändert wird",
    "The block lasts as long at any frame rate": "Der Block dauert bei jeder Bildrate gleich lang",
    "The block has as many frames at any frame rate": "Der Block hat bei jeder Bildrate gleich viele Bilder",
    "Length of the block": "Länge des Blocks",
    "Length of the block in frames of the scene": "Länge des Blocks in Bildern der Szene",
    "The same prompt, duration and seed give the same motion; another seed gives another take": "Gleicher Prompt, "
    "gleiche Dauer und gleicher Startwert geben die gleiche Bewegung; ein anderer Startwert gibt einen anderen Take",
    "Never change this block's motion: what is generated around it joins on to it": "Die Bewegung dieses Blocks nie "
    "ändern: was um ihn herum erzeugt wird, schließt an ihn an",
    "Transition": "Übergang",
    "How much of the motion on each side of this block may be bent when the block is generated anew, so that it "
    "joins on": "Wie viel von der Bewegung zu beiden Seiten gebogen werden darf, wenn der Block neu erzeugt wird, "
    "damit er anschließt",
    "Add Block": "Block hinzufügen",
    "Add a block after the active one": "Nach dem aktiven Block einen weiteren hinzufügen",
    "Remove Block": "Block entfernen",
    "Remove the block; keys that were made of it stay": "Den Block entfernen; Keys, die aus ihm entstanden sind, "
    "bleiben",
    "Move Block": "Block verschieben",
    "Move the block one place up or down": "Den Block um einen Platz nach oben oder unten verschieben",
    "Duplicate Block": "Block duplizieren",
    "Add a block that says the same, after this one": "Nach diesem Block einen gleichen hinzufügen",
    "Split Block": "Block teilen",
    "Use Prompt": "Prompt übernehmen",
    "Start at Current Frame": "Beim aktuellen Bild beginnen",
    "Let the storyboard begin at the current frame": "Das Storyboard beim aktuellen Bild beginnen lassen",
    "Active Block": "Aktiver Block",
    "The block whose settings are shown below": "Der Block, dessen Einstellungen unten stehen",
    "Where the storyboard's first block begins": "Wo der erste Block des Storyboards beginnt",
    "Show on the timeline where the blocks begin and end": "In der Zeitleiste zeigen, wo die Blöcke beginnen und "
    "enden",
    "Start the engine to see what its weights know": "Die Engine starten, um zu sehen, was ihre Gewichte können",
    "These weights come without a list of prompts": "Zu diesen Gewichten gibt es keine Liste von Prompts",
    # generating
    "Generate Motion": "Bewegung erzeugen",
    "Regenerate Block": "Block neu erzeugen",
    "Generate this block anew, with its seed; the motion before and after it stays as it is, but for the transition": (
        "Diesen Block mit seinem Startwert neu erzeugen; die Bewegung davor und danach bleibt bis auf den Übergang, "
        "wie sie ist"
    ),
    "Fill Between Keys": "Zwischen Keys füllen",
    "Stop and Keep": "Anhalten und behalten",
    "Stop generating": "Das Erzeugen anhalten",
    "Stop generating, and keep the keys that are there": "Das Erzeugen anhalten und die Keys behalten, die da sind",
    "Stop generating, and have everything as it was before": "Das Erzeugen anhalten und alles wieder so haben, wie es "
    "war",
    "A motion is being generated": "Eine Bewegung wird gerade erzeugt",
    "The KMM armature that gets the motion. Empty: a new one is made. A KMM armature that is selected and active goes "
    "before it": "Die KMM-Armatur, die die Bewegung bekommt. Leer: eine neue wird gemacht. Eine ausgewählte, aktive "
    "KMM-Armatur geht vor",
    "Where the motion starts": "Wo die Bewegung beginnt",
    "At Origin": "Am Ursprung",
    "On the armature's origin, facing its front": "Am Ursprung der Armatur, nach vorn gerichtet",
    "Where It Stands": "Wo sie steht",
    "Where the character stands at the start frame, and the way it faces": "Wo die Figur beim Startbild steht, und in "
    "ihrer Richtung",
    "After Last Key": "Nach dem letzten Key",
    "After the character's last key, going on from the motion before it": "Nach dem letzten Key der Figur, als "
    "Fortsetzung der Bewegung davor",
    "How fast the motion is played: with 2 the character does twice as much in the same time": "Wie schnell die "
    "Bewegung abläuft: bei 2 tut die Figur in der gleichen Zeit doppelt so viel",
    "In Place": "Auf der Stelle",
    "Keep the character above the spot where it starts": "Die Figur über der Stelle halten, an der sie beginnt",
    "Let the last pose and its velocity meet the first": "Die letzte Pose und ihre Geschwindigkeit an die erste "
    "anschließen lassen",
    "Exchange left and right": "Links und rechts vertauschen",
    # takes
    "How many variations to make at once, to choose from": "Wie viele Varianten auf einmal zur Auswahl entstehen",
    "Keep As": "Behalten als",
    "What a motion becomes when it is kept": "Was aus einer Bewegung wird, die behalten wird",
    "An action of its own, on the character": "Eine eigene Aktion auf der Figur",
    "An action of its own, as a strip on a track of the character's NLA": "Eine eigene Aktion, als Strip auf einer Spur "
    "im NLA der Figur",
    "Show Take": "Take zeigen",
    "Put another take on the character": "Einen anderen Take auf die Figur bringen",
    "Accept": "Annehmen",
    "Accept Take": "Take annehmen",
    "Keep the take that the character shows, and forget the others": "Den Take behalten, den die Figur zeigt, und die "
    "anderen vergessen",
    "Reject All": "Alle verwerfen",
    "Reject All Takes": "Alle Takes verwerfen",
    "Throw all takes away, and have action, pose and frame as they were before": "Alle Takes wegwerfen; Aktion, Pose "
    "und Bild sind dann wieder wie vorher",
    # edit
    "Reduce Keys": "Keys verringern",
    "Replace generated keys by as few as hold the motion. Your own keys are left alone": "Erzeugte Keys durch so wenige "
    "ersetzen, wie die Bewegung braucht. Eigene Keys bleiben unberührt",
    "Lock Feet": "Füße festhalten",
    "Keep feet that stand from sliding. Only the legs change, and your own keys are left alone": "Füße, die stehen, am "
    "Rutschen hindern. Nur die Beine ändern sich, eigene Keys bleiben unberührt",
    "Tolerance (mm)": "Toleranz (mm)",
    "Tolerance mm": "Toleranz mm",
    "When Kept": "Beim Behalten",
    "{} keys became {}, {:.1f} times fewer; no joint is more than {:.1f} mm from where it was": "Aus {} Keys wurden {}, {:.1f}-mal weniger; kein Gelenk ist mehr als {:.1f} mm von seinem Platz entfernt",
    "Feet locked; the legs moved by up to {:.0f} mm, nothing else did": "Füße festgehalten; die Beine haben sich um bis zu {:.0f} mm bewegt, sonst nichts",
    "No foot slides that generated keys hold; nothing was changed": "Kein Fuß, den erzeugte Keys halten, rutscht; nichts wurde geändert",
    # engine
    "Engine off": "Aus",
    "Engine starting": "Startet",
    "Engine ready": "Bereit",
    "Engine failed": "Fehlgeschlagen",
    "Start Engine": "Engine starten",
    "Start the engine now, so that the next motion comes at once": "Die Engine jetzt starten, damit die nächste Bewegung "
    "sofort kommt",
    "Stop Engine": "Engine anhalten",
    "Stop the engine and free its memory; what is being generated keeps the keys that it has": "Die Engine anhalten und "
    "ihren Speicher freigeben; was gerade entsteht, behält die Keys, die es hat",
    "Restart Engine": "Engine neu starten",
    "Restart": "Neu starten",
    "Stop the engine and start it again, with the Python and weights that are chosen now": "Die Engine anhalten und mit "
    "dem jetzt gewählten Python und den jetzt gewählten Gewichten wieder starten",
    "Device": "Gerät",
    "Memory": "Speicher",
    "Weights": "Gewichte",
    "Use Weights": "Gewichte verwenden",
    "Choose the weights that the engine loads, and restart it if it runs": "Die Gewichte wählen, die die Engine lädt, und "
    "sie neu starten, wenn sie läuft",
    "Log": "Protokoll",
    "Engine Log": "Protokoll der Engine",
    "Show the end of what the engine wrote into its log": "Das Ende dessen zeigen, was die Engine in ihr Protokoll "
    "geschrieben hat",
    "The log is empty": "Das Protokoll ist leer",
    "Engine Preferences": "Einstellungen der Engine",
    "Open the preferences of this extension": "Die Einstellungen dieser Erweiterung öffnen",
    "The engine had nothing to do for long and has ended; it starts again when needed": "Die Engine hatte lange nichts zu "
    "tun und hat sich beendet; sie startet wieder, wenn sie gebraucht wird",
    # installing, preferences
    "Install Engine...": "Engine installieren...",
    "Installing the engine": "Die Engine wird installiert",
    "Cancel Installation": "Installation abbrechen",
    "End the installation; what is there stays, and the next one goes on from it": "Die Installation beenden; was da ist, "
    "bleibt, und die nächste macht dort weiter",
    "The engine is being installed": "Die Engine wird gerade installiert",
    "Open Log": "Protokoll öffnen",
    "Online access is off: all wheels that are needed must be in the folder": "Der Zugriff aufs Internet ist aus: alle "
    "nötigen Wheels müssen im Ordner liegen",
    "A wheel of kmm, a folder with its wheels, the project's own folder; or the package's name, if online access is "
    "allowed": "Ein Wheel von kmm, ein Ordner mit den Wheels, der Ordner des Projekts; oder der Name des Pakets, wenn der "
    "Zugriff aufs Internet erlaubt ist",
    "Folder of the new environment": "Ordner der neuen Umgebung",
    "Engine's Python": "Python der Engine",
    "Find Engine": "Engine suchen",
    "Look for a Python that has the engine installed, and choose it": "Ein Python suchen, in dem die Engine installiert "
    "ist, und es wählen",
    "Name or folder of the model's weights. Empty: the engine's default": "Name oder Ordner der Gewichte des Modells. "
    "Leer: die Voreinstellung der Engine",
    "Stop When Idle": "Ohne Arbeit beenden",
    "Minutes without work after which the engine ends and frees its memory; it starts again when it is needed. 0: it runs "
    "as long as Blender": "Minuten ohne Arbeit, nach denen die Engine sich beendet und ihren Speicher freigibt; sie "
    "startet wieder, wenn sie gebraucht wird. 0: sie läuft so lange wie Blender",
}
